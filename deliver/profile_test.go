package deliver

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/config"

	"daypass.dev/e2e/peers"
)

// A profileRow is a credentials file before and after the profile "default"
// got its credentials. {K}, {S} and {T} stand for key, secret and token.
type profileRow struct {
	name, before, after string
	deaf                string // the SDK that cannot read such a file: "go" or "botocore"
}

const ours = "aws_access_key_id = {K}\naws_secret_access_key = {S}\naws_session_token = {T}\n"

func profileRows() []profileRow {
	return []profileRow{
		// What the test of AWS's helper tries, and what it gets wrong.
		{"empty", "", "[default]\n" + ours, ""},
		{"another profile alone",
			"[test]\naws_access_key_id = other\naws_secret_access_key = x\n",
			"[test]\naws_access_key_id = other\naws_secret_access_key = x\n\n[default]\n" + ours, ""},
		{"the profile alone",
			"[default]\naws_access_key_id = old\naws_secret_access_key = old\naws_session_token = old\n",
			"[default]\n" + ours, ""},
		{"the profile before another",
			"[default]\naws_access_key_id = old\naws_secret_access_key = old\naws_session_token = old\n\n[test]\naws_access_key_id = other\n",
			"[default]\n" + ours + "\n[test]\naws_access_key_id = other\n", ""},
		{"the profile between others, keys in another order, foreign keys between",
			"# mine\n[a]\nregion = x\n[default]\naws_session_token = old\nregion = eu-west-1\naws_access_key_id = old\noutput = json\naws_secret_access_key = old\n[b]\nregion = y\n",
			"# mine\n[a]\nregion = x\n[default]\naws_session_token = {T}\nregion = eu-west-1\naws_access_key_id = {K}\noutput = json\naws_secret_access_key = {S}\n[b]\nregion = y\n", ""},
		{"keys missing from the profile",
			"[default]\naws_access_key_id = old\n\n[test]\nregion = x\n",
			"[default]\naws_access_key_id = {K}\naws_secret_access_key = {S}\naws_session_token = {T}\n\n[test]\nregion = x\n", ""},
		{"a foreign key at the end of the file",
			"[default]\naws_access_key_id = old\naws_secret_access_key = old\naws_session_token = old\nregion = eu-west-1",
			"[default]\n" + ours + "region = eu-west-1", ""},
		{"only a foreign key at the end of the file", "[default]\nregion = eu-west-1", "[default]\nregion = eu-west-1\n" + ours, ""},
		{"the header at the end of the file", "[a]\nregion = x\n[default]", "[a]\nregion = x\n[default]\n" + ours, ""},
		{"the header at the end, with its newline", "[default]\n", "[default]\n" + ours, ""},

		{"comments and odd spacing",
			"; top\n\n[default]   # the one\n\t\n# about the key\naws_access_key_id=old\naws_secret_access_key   =\told\nAWS_SESSION_TOKEN : old   \n  # deep\n\n\n[test] ; other\nx=1\n\n\n",
			"; top\n\n[default]   # the one\n\t\n# about the key\naws_access_key_id={K}\naws_secret_access_key   =\t{S}\nAWS_SESSION_TOKEN : {T}\n  # deep\n\n\n[test] ; other\nx=1\n\n\n", ""},
		{"comments at the end of the profile",
			"[default]\nregion = x\n# about it\n\n# about the next\n[test]\n", "[default]\nregion = x\n" + ours + "# about it\n\n# about the next\n[test]\n", ""},
		{"lines that end as in Windows", "[a]\r\nx = 1\r\n[default]\r\naws_access_key_id = old\r\nregion = x",
			"[a]\r\nx = 1\r\n[default]\r\naws_access_key_id = {K}\r\nregion = x\r\naws_secret_access_key = {S}\r\naws_session_token = {T}\r\n", ""},
		{"a new profile, lines that end as in Windows", "[a]\r\nx = 1", "[a]\r\nx = 1\r\n\r\n[default]\r\n" + strings.ReplaceAll(ours, "\n", "\r\n"), ""},
		{"a header after a lone carriage return", "[default]\naws_access_key_id = old\r[a]\raws_access_key_id = other\n",
			"[default]\naws_access_key_id = {K}\raws_secret_access_key = {S}\raws_session_token = {T}\r[a]\raws_access_key_id = other\n", "go"},
		{"a last line of spaces", "# mine\n ", "# mine\n \n[default]\n" + ours, ""},
		{"a nested key", "[default]\ns3 =\n  aws_access_key_id = not mine\n  x = 1\nregion = x\n",
			"[default]\ns3 =\n  aws_access_key_id = not mine\n  x = 1\nregion = x\n" + ours, ""},
		{"all of it indented", "[default]\n  aws_access_key_id = old\n  region = x\n[b]\n",
			"[default]\n  aws_access_key_id = {K}\n  region = x\naws_secret_access_key = {S}\naws_session_token = {T}\n[b]\n", ""},
		{"the token's old name, which comes first", "[default]\naws_security_token = old\n", "[default]\naws_security_token = {T}\n" + ours, ""},
		{"the profile twice", "[default]\nregion = x\naws_access_key_id = old\n[a]\ny = 1\n[default]\naws_access_key_id = older\n",
			"[default]\nregion = x\naws_access_key_id = {K}\naws_secret_access_key = {S}\naws_session_token = {T}\n[a]\ny = 1\n[default]\naws_access_key_id = {K}\n", "botocore"},
		{"a key twice", "[default]\naws_access_key_id = old\naws_access_key_id = older\n",
			"[default]\naws_access_key_id = {K}\naws_access_key_id = {K}\naws_secret_access_key = {S}\naws_session_token = {T}\n", "botocore"},
		{"a header with spaces, which is another profile to some", "[ default ]\naws_access_key_id = old\n",
			"[ default ]\naws_access_key_id = {K}\n\n[default]\n" + ours, ""},
		{"names that only look like it", "[default2]\nx = 1\n[ a default]\nx = 1\n[\"default\"]\nx = 1\n[DEFAULTS]\nx = 1\n",
			"[default2]\nx = 1\n[ a default]\nx = 1\n[\"default\"]\nx = 1\n[DEFAULTS]\nx = 1\n\n[default]\n" + ours, ""},
		{"a header that is none", "[default\n", "[default\n\n[default]\n" + ours, "botocore"},
		{"a comment that looks like the end of a header", "[default ; ]\n[default] # ]\naws_access_key_id = old\n",
			"[default ; ]\n[default] # ]\naws_access_key_id = {K}\n\n[default]\n" + ours, ""},
		{"keys that only look like ours", "[default]\naws_access_key_id_old = 1\n#aws_access_key_id = 2\nx = aws_access_key_id = 3\n",
			"[default]\naws_access_key_id_old = 1\n#aws_access_key_id = 2\nx = aws_access_key_id = 3\n" + ours, ""},
		{"a partial profile of another user", "[broken]\naws_access_key_id = only\n",
			"[broken]\naws_access_key_id = only\n\n[default]\n" + ours, ""},
	}
}

func filled(text string) string {
	c := good()
	return strings.NewReplacer("{K}", c.AccessKeyID, "{S}", c.SecretAccessKey.Reveal(), "{T}", c.SessionToken.Reveal()).Replace(text)
}

func TestProfileIsSetAndNothingElse(t *testing.T) {
	for _, row := range profileRows() {
		got, err := withProfile(row.before, "default", entries(good()))
		if err != nil || got != filled(row.after) {
			t.Errorf("%s: %v, got\n%q, want\n%q", row.name, err, got, filled(row.after))
		}
		if again, err := withProfile(got, "default", entries(good())); err != nil || again != got {
			t.Errorf("%s: %v, the second time\n%q", row.name, err, again)
		}
	}
}

func TestLinesThatSDKsReadInTwoWaysAreRefused(t *testing.T) {
	for text, at := range map[string]string{
		"[default]\naws_access_key_id = a\n  region = x\n":        "line 3 ",
		"[default]\naws_session_token = a\n\n # c\n\tbc==\n":      "line 5 ",
		"[default]\naws_access_key_id =\n deeper\n":               "line 3 ",
		"[default]\nregion = x\n  aws_access_key_id = a\n":        "line 3 ",
		"[a]\nx=1\n[default]\n aws_access_key_id=a\n  region=x\n": "line 5 ",
	} {
		if got, err := withProfile(text, "default", entries(good())); err == nil || got != "" || !strings.Contains(err.Error(), at) {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
	// In another profile that is none of our business.
	if _, err := withProfile("[a]\naws_access_key_id = a\n  region = x\n", "default", entries(good())); err != nil {
		t.Error(err)
	}
}

func TestGoSDKReadsTheProfile(t *testing.T) {
	for _, row := range profileRows() {
		if row.deaf == "go" {
			continue
		}
		path := filepath.Join(t.TempDir(), "credentials")
		writeFile(t, path, filled(row.after))
		got, err := config.LoadSharedConfigProfile(t.Context(), "default", func(o *config.LoadSharedConfigOptions) {
			o.CredentialsFiles, o.ConfigFiles = []string{path}, []string{}
		})
		c := good()
		if err != nil || got.Credentials.AccessKeyID != c.AccessKeyID || got.Credentials.SecretAccessKey != secretKey || got.Credentials.SessionToken != secretToken {
			t.Errorf("%s: %+v, %v", row.name, got.Credentials, err)
		}
	}
}

// botocoreReads prints the credentials of the profile default in each file
// that it is given.
const botocoreReads = `
import sys, json, botocore.credentials
for path in sys.argv[1:]:
    try:
        c = botocore.credentials.SharedCredentialProvider(path, "default").load()
        print(json.dumps([c.access_key, c.secret_key, c.token]))
    except Exception as e:
        print(json.dumps([repr(e)]))
`

func TestBotocoreReadsTheProfile(t *testing.T) {
	python, err := peers.Python(t.Context())
	peers.Need(t, "boto3", err)
	dir := t.TempDir()
	args := []string{"-c", botocoreReads}
	var read []profileRow
	for _, row := range profileRows() {
		if row.deaf != "botocore" {
			path := filepath.Join(dir, strings.ReplaceAll(row.name, " ", "-"))
			writeFile(t, path, filled(row.after))
			args, read = append(args, path), append(read, row)
		}
	}
	cmd := exec.CommandContext(t.Context(), python, args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	printed := strings.Split(strings.TrimSpace(string(out)), "\n")
	if err != nil || len(printed) != len(read) {
		t.Fatalf("%v: %s", err, out)
	}
	want, _ := json.Marshal([]string{good().AccessKeyID, secretKey, secretToken})
	for i, row := range read {
		if strings.ReplaceAll(printed[i], ", ", ",") != string(want) {
			t.Errorf("%s: %s", row.name, printed[i])
		}
	}
}
