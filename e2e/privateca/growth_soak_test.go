//go:build soak

package privateca

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/acmpca/types"
	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
)

// TestGrowth prints what 5,000 requests cost the issuer, at a tenth, a third
// and all of them: time, resident memory, calls of AWS.
func TestGrowth(t *testing.T) {
	f := &failing{}
	s, ca := newCA(t, f, types.CertificateAuthorityUsageModeShortLivedCertificate)
	r := newRig(t, s.Env(), "--issue-rate=100")
	r.issuer("ca", "{arn: \""+ca+"\"}")
	r.ready("awspcaissuer/ca")
	const all = 5000
	made := 0
	for _, upTo := range []int{all / 10, all / 3, all} {
		began := time.Now()
		r.many(made, upTo)
		r.Eventually(20*time.Minute, fmt.Sprintf("%d certificates", upTo), func() error {
			if n := r.outcomes()[cmapi.CertificateRequestReasonIssued]; n != upTo {
				time.Sleep(2 * time.Second)
				return fmt.Errorf("%d of %d are issued", n, upTo)
			}
			return nil
		})
		t.Logf("%d requests: %s for %d more, %d MB resident, %d calls of Private CA, %d certificates",
			upTo, time.Since(began).Round(time.Second), upTo-made, r.resident(), f.seen.Load(), issued(s, ca))
		if n := issued(s, ca); n != upTo {
			t.Errorf("%d certificates for %d requests", n, upTo)
		}
		made = upTo
	}
	if mb := r.resident(); mb > 256 {
		t.Errorf("the issuer has %d MB resident; the chart gives it 256", mb)
	}
}

// many makes requests, several at a time.
func (r *rig) many(from, to int) {
	var wg sync.WaitGroup
	names := make(chan int)
	for range 8 {
		wg.Go(func() {
			for n := range names {
				r.request(fmt.Sprintf("g%05d", n), "ca", nil)
			}
		})
	}
	for n := from; n < to; n++ {
		names <- n
	}
	close(names)
	wg.Wait()
}

// resident is the program's memory in MB.
func (r *rig) resident() int {
	r.t.Helper()
	r.mu.Lock()
	pid := r.process.Process.Pid
	r.mu.Unlock()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		r.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.Atoi(strings.Fields(rest)[0])
			if err != nil {
				r.t.Fatal(err)
			}
			return kb / 1024
		}
	}
	r.t.Fatal("no VmRSS")
	return 0
}
