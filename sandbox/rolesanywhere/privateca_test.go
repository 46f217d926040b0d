package rolesanywhere_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/rolesanywhere"
	"github.com/aws/aws-sdk-go-v2/service/rolesanywhere/types"
)

// An anchor of a private CA has the certificate that the CA had when the anchor
// was made; a renewed one it takes when it is updated with its source.
func TestAnchorsOfRenewedPrivateCAs(t *testing.T) {
	d := newDesk(t)
	privateCA(d.stage)
	ca := d.world.Account(account).PrivateCAs["ca"]
	source := &types.Source{SourceType: types.TrustAnchorTypeAwsAcmPca, SourceData: &types.SourceDataMemberAcmPcaArn{Value: ca.ARN}}
	update := func() *types.TrustAnchorDetail {
		t.Helper()
		return must[*rolesanywhere.UpdateTrustAnchorOutput](t)(d.UpdateTrustAnchor(t.Context(), &rolesanywhere.UpdateTrustAnchorInput{
			TrustAnchorId: &d.anchor.ID, Source: source,
		})).TrustAnchor
	}
	ca.Certificate = pemOf(newAuthority(t, "Test CA", nil).cert)
	got, ok := update().Source.SourceData.(*types.SourceDataMemberAcmPcaArn)
	if !ok || got.Value != ca.ARN {
		t.Errorf("its source is %+v", got)
	}
	d.atNoon(func() { d.refused("chain-signature") })
	ca.Certificate = pemOf(d.ca.cert)
	d.atNoon(func() { d.refused("chain-signature") })
	update()
	d.atNoon(func() { d.session() })

	// An anchor that was kept before it had a certificate of its own.
	d.anchor.Bundle = ""
	d.atNoon(func() { d.session() })
}
