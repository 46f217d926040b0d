// Command crowd is many callers of a node's agent in one pod: each asks for the
// pod's credentials on a connection of its own, again and again, as SDKs do that
// do not remember. Every second it prints what they met, as JSON.
//
//	crowd CALLERS EVERY URL TOKEN-FILE
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// A meeting is what callers met since they began.
type meeting struct {
	// OK counts answers with credentials, Failed all others by their kind: the
	// status, or what came of the connection.
	OK     int            `json:"ok"`
	Failed map[string]int `json:"failed"`
	// Without is how many callers' latest call failed, Never how many none of
	// whose calls has succeeded.
	Without, Never int
	// Longest is the longest time in seconds for which a caller's calls failed:
	// from the call that failed first to the answer that came at last.
	Longest float64 `json:"longest"`
	// Keys are how many access keys came.
	Keys int `json:"keys"`
}

type crowd struct {
	mu     sync.Mutex
	met    meeting
	keys   map[string]bool
	first  []time.Time // when the caller's calls began to fail; zero: they do not
	served []bool
}

func main() {
	if len(os.Args) != 5 {
		fmt.Fprintln(os.Stderr, "crowd CALLERS EVERY URL TOKEN-FILE")
		os.Exit(2)
	}
	n, wrong := strconv.Atoi(os.Args[1])
	every, err := time.ParseDuration(os.Args[2])
	if err := errors.Join(wrong, err); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	c := &crowd{met: meeting{Failed: map[string]int{}}, keys: map[string]bool{}, first: make([]time.Time, n), served: make([]bool, n)}
	for i := range n {
		go func() {
			time.Sleep(every * time.Duration(i) / time.Duration(n)) // not all at once
			c.call(i, every, os.Args[3], os.Args[4])
		}()
	}
	for range time.Tick(time.Second) {
		c.print()
	}
}

// call is one caller.
func (c *crowd) call(i int, every time.Duration, url, tokenFile string) {
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{MaxConnsPerHost: 1}}
	for {
		begun := time.Now()
		key, kind := ask(client, url, tokenFile)
		c.note(i, begun, key, kind)
		time.Sleep(time.Until(begun.Add(every)))
	}
}

func (c *crowd) note(i int, begun time.Time, key, kind string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if kind != "" {
		c.met.Failed[kind]++
		if c.first[i].IsZero() {
			c.first[i] = begun
		}
		return
	}
	c.met.OK++
	c.keys[key], c.served[i] = true, true
	if !c.first[i].IsZero() {
		c.met.Longest = max(c.met.Longest, time.Since(c.first[i]).Seconds())
		c.first[i] = time.Time{}
	}
}

func (c *crowd) print() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.met.Without, c.met.Never, c.met.Keys = 0, 0, len(c.keys)
	for i := range c.first {
		if !c.first[i].IsZero() {
			c.met.Without++
		}
		if !c.served[i] {
			c.met.Never++
		}
	}
	_ = json.NewEncoder(os.Stdout).Encode(c.met)
}

// ask returns the access key's id, or the kind of failure.
func ask(client *http.Client, url, tokenFile string) (key, kind string) {
	token, err := os.ReadFile(tokenFile)
	if err != nil {
		return "", "token file"
	}
	r, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return "", "url"
	}
	r.Header.Set("Authorization", string(token))
	answer, err := client.Do(r)
	if err != nil {
		return "", kindOf(err)
	}
	defer answer.Body.Close()
	var got struct{ AccessKeyId, Message string }
	if err := json.NewDecoder(answer.Body).Decode(&got); err != nil {
		return "", kindOf(err)
	}
	if answer.StatusCode != http.StatusOK || got.AccessKeyId == "" {
		return "", fmt.Sprintf("status %d: %.200s", answer.StatusCode, got.Message)
	}
	return got.AccessKeyId, ""
}

func kindOf(err error) string {
	var timeout net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "reset"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "ended"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "timeout"
	}
	return err.Error()
}
