package ssm_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"daypass.dev/sandbox/sandboxtest"
)

// Of calls at the same time none undoes another: each version and each label
// stays, and one call alone makes the parameter. What goes wrong by chance has
// several.
func TestCallsAtTheSameTime(t *testing.T) {
	s := newStage(t)
	for round := range 8 {
		s.callsAtTheSameTime(aws.String(fmt.Sprint("/app/", round)))
	}
}

func (s *stage) callsAtTheSameTime(name *string) {
	t, ctx := s.t, s.t.Context()
	const n = 16
	put := func(overwrite bool) []string {
		return sandboxtest.AtOnce(n, func(i int) error {
			_, err := s.admin.PutParameter(ctx, &ssm.PutParameterInput{
				Name: name, Value: aws.String(fmt.Sprint(i)), Type: types.ParameterTypeSecureString, Overwrite: &overwrite,
			})
			return err
		})
	}
	want := append([]string{""}, slices.Repeat([]string{"ParameterAlreadyExists"}, n-1)...)
	if codes := put(false); !slices.Equal(slices.Sorted(slices.Values(codes)), want) {
		t.Errorf("made at the same time: %q", codes)
	}
	if codes := put(true); strings.Join(codes, "") != "" {
		t.Errorf("overwritten at the same time: %q", codes)
	}
	labelled := sandboxtest.AtOnce(n, func(i int) error {
		_, err := s.admin.LabelParameterVersion(ctx, &ssm.LabelParameterVersionInput{
			Name: name, ParameterVersion: aws.Int64(int64(i + 1)), Labels: []string{fmt.Sprint("l", i)},
		})
		return err
	})
	if strings.Join(labelled, "") != "" {
		t.Errorf("labelled at the same time: %q", labelled)
	}
	history, err := s.admin.GetParameterHistory(ctx, &ssm.GetParameterHistoryInput{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	var versions []int64
	var labels []string
	for _, v := range history.Parameters {
		versions, labels = append(versions, v.Version), append(labels, v.Labels...)
	}
	if len(versions) != n+1 || versions[n] != n+1 {
		t.Errorf("versions %v", versions)
	}
	if len(labels) != n {
		t.Errorf("labels %v", labels)
	}
}
