package refresh

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"daypass.dev"
)

// With these set, the test binary is one of many processes.
const (
	childDir = "DAYPASS_TEST_CHILD_DIR"
	childURL = "DAYPASS_TEST_CHILD_URL"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		os.Exit(child(dir, os.Getenv(childURL)))
	}
	os.Exit(m.Run())
}

// child says that it asks and prints what it gets.
func child(dir, url string) int {
	fmt.Println("asking")
	got, err := process(overHTTP(url), dir).Credentials(context.Background())
	if err != nil {
		fmt.Println("error", err)
		return 0
	}
	fmt.Println(got.AccessKeyID, got.SecretAccessKey.Reveal() == plantedKey, got.Whole())
	return 0
}

type overHTTP string

func (url overHTTP) Credentials(context.Context) (daypass.Credentials, error) {
	response, err := http.Get(string(url))
	if err != nil {
		return daypass.Credentials{}, err
	}
	defer response.Body.Close()
	var n int
	if err := json.NewDecoder(response.Body).Decode(&n); err != nil || response.StatusCode != 200 {
		return daypass.Credentials{}, errors.Join(refusedErr, err)
	}
	return credentials(n, time.Now(), time.Hour), nil
}

// hundred runs 100 processes, of which the first gets no answer before all
// have begun to ask, and returns how often they called upstream and what they
// printed.
func hundred(t *testing.T, dir string, status int) (calls int64, printed map[string]int) {
	t.Helper()
	var count atomic.Int64
	var asking, done sync.WaitGroup
	asking.Add(100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		n := count.Add(1)
		asking.Wait()
		w.WriteHeader(status)
		fmt.Fprint(w, n)
	}))
	defer server.Close()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	printed = map[string]int{}
	var mu sync.Mutex
	for range 100 {
		cmd := exec.Command(self)
		cmd.Env = append(os.Environ(), childDir+"="+dir, childURL+"="+server.URL)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		done.Go(func() {
			lines := bufio.NewReader(out)
			_, _ = lines.ReadString('\n')
			asking.Done()
			line, _ := lines.ReadString('\n')
			if err := cmd.Wait(); err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			printed[strings.TrimSpace(line)]++
		})
	}
	done.Wait()
	return count.Load(), printed
}

func TestHundredProcessesMakeOneCall(t *testing.T) {
	dir := place(t)
	calls, printed := hundred(t, dir, 200)
	if calls != 1 || printed["ASIA1 true true"] != 100 {
		t.Errorf("%d calls, printed %v", calls, printed)
	}
}

func TestHundredProcessesShareOneRefusal(t *testing.T) {
	calls, printed := hundred(t, place(t), 403)
	if calls != 1 || printed["error "+refusedErr.Error()] != 100 {
		t.Errorf("%d calls, printed %v", calls, printed)
	}
}
