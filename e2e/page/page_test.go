package page

import (
	"encoding/json"
	"fmt"
	"html"
	"image"
	"image/png"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"daypass.dev/e2e/peers"
	"daypass.dev/sandbox/page"
	"daypass.dev/sandbox/sandboxtest"
	"daypass.dev/sandbox/world"
)

const axeVersion = "4.10.3"

// axe is the text of axe-core, which finds what keeps people out of a page.
func axe(t *testing.T) string {
	t.Helper()
	dir, err := peers.Cache("axe-core-" + axeVersion)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "node_modules", "axe-core", "axe.min.js")
	if _, err := os.Stat(file); err != nil {
		cmd := exec.CommandContext(t.Context(), "npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", dir, "axe-core@"+axeVersion)
		if out, err := cmd.CombinedOutput(); err != nil {
			peers.Need(t, "axe-core", fmt.Errorf("npm: %w: %s: %w", err, out, peers.ErrAbsent))
		}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// browse runs headless Chromium on an address and returns what it prints.
func browse(t *testing.T, address string, args ...string) string {
	t.Helper()
	args = append([]string{
		"--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--user-data-dir=" + t.TempDir(),
		"--virtual-time-budget=20000",
	}, args...)
	out, err := exec.CommandContext(t.Context(), "chromium", append(args, address)...).Output()
	if err != nil {
		t.Fatalf("chromium: %v", err)
	}
	return string(out)
}

// A state is one in which a page is looked at.
type state struct {
	name string
	// serve has the page at an address, and tells what must not be on it.
	serve func(*testing.T) (address string, secrets []string)
	query string
	args  []string // of the browser
	wide  int
}

func states() []state {
	dark := []string{"--force-dark-mode", "--blink-settings=preferredColorScheme=0"}
	var all []state
	for _, p := range []struct {
		name        string
		empty, many func(*testing.T) (string, []string)
	}{
		{"decisions", decisions(nothing), decisions(thousand)},
		{"status", workloads(0), workloads(1000)},
	} {
		all = append(all,
			state{p.name + "-empty", p.empty, "", nil, 1280},
			state{p.name + "-many", p.many, "", nil, 1280},
			state{p.name + "-phone", p.many, "", nil, 500},
			state{p.name + "-dark", p.many, "", dark, 1280},
		)
	}
	return append(all,
		state{"decisions-refusal", decisions(refusal), "", nil, 1280},
		state{"reason", workloads(0), "reason/policy-condition", nil, 1280},
	)
}

// decisions are the sandbox's page.
func decisions(fill func(*testing.T, *sandboxtest.Sandbox) []string) func(*testing.T) (string, []string) {
	return func(t *testing.T) (string, []string) {
		s := sandboxtest.Start(t, worldText)
		secrets := fill(t, s)
		return strings.Replace(s.URL, "https://", "http://", 1) + page.Path, secrets
	}
}

func nothing(*testing.T, *sandboxtest.Sandbox) []string { return nil }

func thousand(t *testing.T, s *sandboxtest.Sandbox) []string {
	secrets := refusal(t, s)
	for i := range 1000 {
		s.World.Record(world.Decision{
			Time: time.Now(), Service: "s3", Operation: "GetObject", Status: 200, Allowed: true, Path: fmt.Sprintf("/reports/%d.txt", i),
			Caller: "arn:aws:sts::111122223333:assumed-role/reader/" + strings.Repeat("long-name-", 5), Tags: map[string]string{"x509SAN/URI": "spiffe://prod.example.org/ns/shop/sa/web"},
		})
	}
	return secrets
}

// refusal makes real calls: one that is allowed, one that is refused.
func refusal(t *testing.T, s *sandboxtest.Sandbox) (secrets []string) {
	t.Helper()
	if _, err := sts.NewFromConfig(s.Config()).GetCallerIdentity(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	given, err := sts.NewFromConfig(s.Config()).AssumeRole(t.Context(), &sts.AssumeRoleInput{
		RoleArn: aws.String("arn:aws:iam::111122223333:role/reader"), RoleSessionName: aws.String("nightly"),
	})
	if err != nil {
		t.Fatal(err)
	}
	c := given.Credentials
	as := s.ConfigFor(*c.AccessKeyId, *c.SecretAccessKey, *c.SessionToken)
	_, err = s3.NewFromConfig(as, func(o *s3.Options) { o.UsePathStyle = true }).PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String("reports"), Key: aws.String("q3.txt"), Body: strings.NewReader("x"),
	})
	if err == nil {
		t.Fatal("what should be refused is not")
	}
	return []string{*c.SecretAccessKey, *c.SessionToken, s.Admin.Secret}
}

const worldText = `
accounts:
  "111122223333":
    roles:
      reader:
        trust: {Version: 2012-10-17, Statement: [{Effect: Allow, Principal: {AWS: "arn:aws:iam::111122223333:root"}, Action: "sts:AssumeRole"}]}
        policies:
          read: {Version: 2012-10-17, Statement: {Effect: Allow, Action: "s3:GetObject", Resource: "arn:aws:s3:::reports/*"}}
    buckets:
      reports: {}
`

// In each state the page is drawn, keeps nobody out by axe-core's rules, and
// holds no secret.
func TestStates(t *testing.T) {
	peers.Need(t, "chromium", peers.Packages(t.Context(), map[string]string{"chromium": "chromium"}))
	rules := axe(t)
	pictures := os.Getenv("DAYPASS_SCREENSHOTS") // to be looked at
	if pictures == "" {
		pictures = t.TempDir()
	}
	for _, st := range states() {
		t.Run(st.name, func(t *testing.T) {
			address, secrets := st.serve(t)
			address += st.query
			answer, err := http.Get(address)
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			text, err := io.ReadAll(answer.Body)
			if err != nil || answer.StatusCode != http.StatusOK {
				t.Fatalf("%v %s", err, answer.Status)
			}
			for _, secret := range secrets {
				if strings.Contains(string(text), secret) || strings.Contains(string(text), html.EscapeString(secret)) {
					t.Error("a secret is on the page")
				}
			}
			if strings.Contains(string(text), "<script") || strings.Contains(string(text), "http://") && !strings.Contains(string(text), "spiffe") {
				t.Error("the page holds a script or leads elsewhere")
			}
			draw(t, st, address, filepath.Join(pictures, st.name+".png"))
			violations(t, st, string(text), rules)
		})
	}
}

func draw(t *testing.T, st state, address, file string) {
	t.Helper()
	browse(t, address, append(st.args, fmt.Sprintf("--window-size=%d,1000", st.wide), "--screenshot="+file)...)
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	picture, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	light := brightness(picture)
	if dark := strings.HasSuffix(st.name, "-dark"); dark && light > 0.4 || !dark && light < 0.6 {
		t.Errorf("its brightness is %.2f", light)
	}
}

// brightness is the mean of a picture, 0 to 1.
func brightness(p image.Image) float64 {
	var sum, n float64
	for y := p.Bounds().Min.Y; y < p.Bounds().Max.Y; y += 5 {
		for x := p.Bounds().Min.X; x < p.Bounds().Max.X; x += 5 {
			r, g, b, _ := p.At(x, y).RGBA()
			sum += float64(r+g+b) / 3 / 0xffff
			n++
		}
	}
	return sum / n
}

// violations runs axe-core over a copy of the page that lets scripts in.
func violations(t *testing.T, st state, text, rules string) {
	t.Helper()
	const report = `<script>axe.run().then(r => { const e = document.createElement("pre"); e.id = "axe";
 e.textContent = "AXE" + JSON.stringify({passes: r.passes.length, violations: r.violations.map(v => v.id + ": " + v.help + " " + v.nodes.map(n => n.html + " " + n.failureSummary).join("; "))}) + "END"; document.body.append(e); })</script>`
	// Ten entries stand for all: the others are of the same markup, and axe-core
	// takes minutes for many on a busy machine.
	const entries = 10
	if articles := strings.SplitAfter(text, "</article>"); len(articles) > entries+1 {
		text = strings.Join(articles[:entries], "") + articles[len(articles)-1]
	}
	file := filepath.Join(t.TempDir(), "page.html")
	if err := os.WriteFile(file, []byte(strings.Replace(text, "</body>", "<script>"+rules+"</script>"+report+"</body>", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	out := browse(t, "file://"+file, append(st.args, fmt.Sprintf("--window-size=%d,1000", st.wide), "--dump-dom")...)
	i := strings.LastIndex(out, "AXE{")
	if i < 0 {
		t.Fatal("axe-core said nothing")
	}
	said, _, _ := strings.Cut(out[i+3:], "END")
	var result struct {
		Passes     int
		Violations []string
	}
	if err := json.Unmarshal([]byte(html.UnescapeString(said)), &result); err != nil {
		t.Fatal(err)
	}
	if result.Passes == 0 {
		t.Error("axe-core looked at nothing")
	}
	for _, v := range result.Violations {
		t.Errorf("%.600s", v)
	}
}
