package deliver

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"daypass.dev"
)

// With this set, the test binary writes into the file of that name until it is
// killed.
const writerFile = "DAYPASS_TEST_WRITER"

func TestMain(m *testing.M) {
	if path := os.Getenv(writerFile); path != "" {
		writeOn(path)
	}
	os.Exit(m.Run())
}

// writeOn says once that it has begun. The larger the file, the longer a write.
func writeOn(path string) {
	f := &File{Path: path, Profiles: []string{"one", "two"}}
	for n := os.Getpid() * 1_000_000; ; n++ {
		c := daypass.Credentials{
			AccessKeyID:     fmt.Sprintf("ASIA%d", n),
			SecretAccessKey: daypass.Secret(fmt.Sprintf("secret%d", n)),
			SessionToken:    daypass.Secret(fmt.Sprintf("token%d", n)),
			Expires:         time.Now(),
		}
		if err := f.Write(context.Background(), c); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		if n%1_000_000 == 0 {
			fmt.Println("begun")
		}
	}
}

// A writer that is killed at any moment leaves the old file or the new, whole,
// with all that is foreign in it, and a lock that the next can take.
func TestKilledWritersLeaveTheFileWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "credentials")
	around := strings.Repeat("# a long line of somebody else's\n", 2000)
	start := around + "[one]\r\nregion = x\r\n[foreign]\naws_access_key_id = other\n" + around
	writeFile(t, path, start)
	whole := regexp.MustCompile(`^` + regexp.QuoteMeta(around) + `\[one\]\r\nregion = x\r\n` + sameCredentials("\r\n") +
		`\[foreign\]\naws_access_key_id = other\n` + regexp.QuoteMeta(around) + `\n\[two\]\n` + sameCredentials("\n") + `$`)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	midway := 0
	for range killings {
		kill(t, self, path)
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		numbers := whole.FindSubmatch(text)
		if numbers == nil {
			t.Fatalf("not whole: %d bytes that end in %q", len(text), text[max(0, len(text)-300):])
		}
		for _, n := range numbers[2:] {
			if string(n) != string(numbers[1]) {
				t.Fatalf("of several writes: %q", numbers[1:])
			}
		}
		if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".credentials.*")); len(left) > 1 {
			t.Fatalf("what killed writers leave is not swept away: %v", left)
		} else if len(left) == 1 {
			midway++
		}
	}
	t.Logf("%d of %d writers were killed in the middle of a write", midway, killings)
	if midway == 0 && killings >= 200 { // about one in ten
		t.Error("no writer was killed in the middle of a write: this tries nothing")
	}
}

func sameCredentials(end string) string {
	return `aws_access_key_id = ASIA(\d+)` + end + `aws_secret_access_key = secret(\d+)` + end + `aws_session_token = token(\d+)` + end
}

// kill runs a writer, and kills it at some moment after its first write.
func kill(t *testing.T, self, path string) {
	t.Helper()
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), writerFile+"="+path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := make([]byte, 100)
	if n, _ := out.Read(said); string(said[:n]) != "begun\n" {
		t.Fatalf("the writer said %q", said[:n])
	}
	time.Sleep(time.Duration(rand.IntN(10_000)) * time.Microsecond)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
}
