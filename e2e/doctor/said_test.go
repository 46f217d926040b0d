package doctor

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"daypass.dev/doctor"
	"daypass.dev/doctor/gather"
	"daypass.dev/sandbox/sandboxtest"
)

// A caller calls AWS with credentials that it has, by AWS's own SDK.
type caller struct {
	*scene
	admin, away aws.Config // who may do everything, here and in the other account
	reader      aws.Config // a session of role reader
	made        string     // the ARN or id of what a row's spoil has made
}

const saidWorld = `
accounts:
  "111122223333":
    roles:
      reader:
        trust: {Version: 2012-10-17, Statement: [{Effect: Allow, Principal: {AWS: "111122223333"}, Action: ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]}]}
        policies:
          read: {Version: 2012-10-17, Statement: {Effect: Allow, Action: "*", Resource: "*"}}
  "444455556666": {}
`

func newCaller(t *testing.T) *caller {
	t.Helper()
	box := sandboxtest.Start(t, saidWorld)
	c := &caller{scene: &scene{TB: t, dir: t.TempDir(), box: box}, admin: quiet(box.Config())}
	other := box.World.Administrator(elsewhere)
	c.away = quiet(box.ConfigFor(other.ID, other.Secret, ""))
	c.reader = c.session(&sts.AssumeRoleInput{})
	return c
}

// quiet is an SDK that does not try again, as one does that corrects its clock.
func quiet(c aws.Config) aws.Config {
	c.Retryer = func() aws.Retryer { return aws.NopRetryer{} }
	return c
}

// session assumes role reader.
func (c *caller) session(in *sts.AssumeRoleInput) aws.Config {
	c.Helper()
	in.RoleArn, in.RoleSessionName = aws.String(roleARN), aws.String("web")
	out, err := sts.NewFromConfig(c.admin).AssumeRole(c.Context(), in)
	if err != nil {
		c.Fatal(err)
	}
	return quiet(c.box.ConfigFor(*out.Credentials.AccessKeyId, *out.Credentials.SecretAccessKey, *out.Credentials.SessionToken))
}

// must takes what an SDK answers; the answer itself is not wanted.
func (c *caller) must(_ any, err error) {
	c.Helper()
	if err != nil {
		c.Fatal(err)
	}
}

// as is the caller with another identity.
func (c *caller) as(who aws.Config) *caller {
	other := *c
	other.admin = who
	return &other
}

func only(_ any, err error) error { return err }

// after has all rows spoiled in one way.
func after(spoil func(*caller), rows []refusal) []refusal {
	for i := range rows {
		rows[i].spoil = spoil
	}
	return rows
}

// A refusal is a call that AWS refuses.
type refusal struct {
	slug string
	call func(*caller) error
	mend func(*caller) // what the mend says
	// instead is the call that the mend says to make; nil: the same again.
	instead func(*caller) error
	// record is the sandbox's own word where it is another than ours, which then
	// comes of AWS's words alone.
	record string
	// alone: a program of ours says it, of which there is no record.
	alone bool
	// final is why the mend cannot be tried here; empty: it is tried.
	final string
	// spoil comes before the call.
	spoil func(*caller)
	// silent: AWS's words could stand for anything.
	silent bool
}

// What AWS says of a call is all that its caller sees. With the sandbox's
// record beside it doctor names the reason; without, the reason is among those
// that the words stand for, and no other is named.
func TestWhatAWSSays(t *testing.T) { said(t, refusals(), newCaller) }

func TestWhatAWSSaysOfSessions(t *testing.T) { said(t, anywhereRefusals(), newBearer) }

func TestWhatAWSSaysOfTokens(t *testing.T) { said(t, providerRefusals(), newToken) }

func said(t *testing.T, rows []refusal, by func(*testing.T) *caller) {
	if len(rows) == 0 {
		t.Fatal("no rows")
	}
	for _, r := range rows {
		t.Run(r.slug, func(t *testing.T) {
			t.Parallel()
			r.run(by(t))
		})
	}
}

func (r refusal) run(c *caller) {
	if r.spoil != nil {
		r.spoil(c)
	}
	err := r.call(c)
	if err == nil {
		c.Fatal("AWS allows it")
	}
	recorded := r.record
	if recorded == "" {
		recorded = r.slug
	}
	kase := &gather.Case{Said: err.Error()}
	if !r.alone {
		kase.Decisions = c.decisions()
	}
	got := doctor.Diagnose(kase.Collect(c.Context()))
	if got.Healthy || got.Cause.Reason != recorded || got.Cause.Mend == "" || got.Cause.Detail == "" {
		c.Errorf("doctor names %s\n%s", cause(got), pretty(got))
	}
	kase.Decisions = ""
	got = doctor.Diagnose(kase.Collect(c.Context()))
	switch known := append(slices.Clone(got.Candidates), got.Cause.Reason); {
	case r.silent && !slices.Equal(known, []string{""}):
		c.Errorf("%q says something: %s", err, known)
	case !r.silent && !slices.Contains(known, r.slug):
		c.Errorf("%q stands for %q, want %s among them", err, known, r.slug)
	}
	if r.final != "" {
		return
	}
	if r.mend != nil {
		r.mend(c)
	}
	again := r.instead
	if again == nil {
		again = r.call
	}
	if err := again(c); err != nil {
		c.Errorf("after the mend: %v", err)
	}
}

// decisions is a file of the sandbox's record, as daypassctl sandbox writes it.
func (c *caller) decisions() string {
	c.Helper()
	var lines []byte
	for _, d := range c.box.Decisions() {
		line, err := json.Marshal(d)
		if err != nil {
			c.Fatal(err)
		}
		lines = append(append(lines, line...), '\n')
	}
	c.write("decisions", lines)
	return filepath.Join(c.dir, "decisions")
}
