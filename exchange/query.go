package exchange

import (
	"encoding/xml"
)

// stsPlace is where STS is called for a role.
func stsPlace(region string, role arn, fips, dualStack bool, given string) (string, error) {
	region, asked := plainRegion(region)
	if region != "" && !isRegion(region) {
		return "", input("region", "it looks like eu-west-1", "%.40q is no region", region)
	}
	return place{
		service: "sts", region: region, partition: role.partition,
		fips: fips || asked, dualStack: dualStack, given: given,
	}.url()
}

// queryError is what AWS said in the protocol of STS; empty if it was not AWS
// who answered.
//
// https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html
func (a *answer) queryError() (code, message string) {
	var body struct {
		XMLName xml.Name `xml:"ErrorResponse"`
		Error   struct{ Code, Message string }
	}
	if readXML(a.body, &body) == nil && isErrorCode(body.Error.Code) {
		code = body.Error.Code
	}
	return code, body.Error.Message
}
