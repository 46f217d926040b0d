package node

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Started is the last line of progress: every program of the node runs.
const Started = "started"

// Run turns this process, which must be the first of new namespaces, into the
// node that the file at path describes, and stays until it is killed. Progress
// gets a line for each program that was started or has ended. An error means
// that the node could not be made.
func Run(path string, progress io.Writer) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var c Config
	if err := json.Unmarshal(text, &c); err != nil {
		return fmt.Errorf("reading %s: %w", path, err)
	}
	if os.Getpid() != 1 {
		return fmt.Errorf("process %d is not the first of its namespace", os.Getpid())
	}
	if err := unix.Sethostname([]byte(c.Hostname)); err != nil {
		return fmt.Errorf("setting the host name: %w", err)
	}
	if err := c.mounts(); err != nil {
		return err
	}
	if err := c.network(); err != nil {
		return err
	}
	t := &table{names: map[int]string{}, progress: progress}
	go t.reap()
	for _, p := range c.Programs {
		if err := await(p.After); err != nil {
			return fmt.Errorf("%s cannot start: %w", p.Name, err)
		}
		if err := t.start(&c, p); err != nil {
			return fmt.Errorf("starting %s: %w", p.Name, err)
		}
		fmt.Fprintln(progress, p.Name)
	}
	fmt.Fprintln(progress, Started)
	select {}
}

// await waits for at most two minutes until target answers.
func await(target string) error {
	if target == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
		// The node only asks whether the server answers; it sends nothing
		// and believes nothing.
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true,
	}}
	for {
		if answers(ctx, client, target) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s did not answer within 2 minutes", target)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func answers(ctx context.Context, client *http.Client, target string) bool {
	if socket, ok := strings.CutPrefix(target, "unix://"); ok {
		conn, err := net.Dial("unix", socket)
		if err == nil {
			conn.Close()
		}
		return err == nil
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return false
	}
	response, err := client.Do(request)
	if err != nil {
		return false
	}
	response.Body.Close()
	return response.StatusCode == http.StatusOK
}
