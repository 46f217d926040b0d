package policy

import "testing"

// A * that a variable yields is an ordinary character in Arn conditions, too,
// even alone; as no ARN it is malformed: no Allow admits by it, every Deny
// refuses. Alone where the policy's author wrote it, it takes in every ARN.
func TestStarsOfVariablesInArnConditions(t *testing.T) {
	for _, wanted := range []string{"${aws:PrincipalTag/tag}", "${*}", "${aws:PrincipalTag/missing, '*'}"} {
		for _, operator := range []string{"ArnLike", "ArnEquals", "ArnNotLike", "ArnNotEquals"} {
			text := conditionText(operator, "aws:SourceArn", wanted)
			ctx := Context{"aws:SourceArn": {List: []string{document}}, "aws:PrincipalTag/tag": {List: []string{"*"}}}
			if underAllow(t, Identity, text, ctx) {
				t.Errorf("an Allow under %s admits", text)
			}
			if !underDeny(t, Identity, text, ctx) {
				t.Errorf("a Deny under %s does not refuse", text)
			}
		}
	}
	if !underAllow(t, Identity, conditionText("ArnLike", "aws:SourceArn", "*"), Context{"aws:SourceArn": {List: []string{document}}}) {
		t.Error("a * as written takes in no ARN")
	}
}
