package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"daypass.dev/kube/survey"
)

func printStatus(w io.Writer, output string, s *survey.Status) error {
	if output == "json" {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(s)
	}
	return statusTable(w, s)
}

func statusTable(w io.Writer, s *survey.Status) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if len(s.Workloads) > 0 {
		fmt.Fprintln(t, "NAMESPACE\tPOD\tSERVICEACCOUNT\tMETHOD\tROLE\tDELIVERY\tREADY\tCERTIFICATE\tCREDENTIALS\tLAST-OK\tREASON")
	}
	for _, p := range s.Workloads {
		ready, lastOK := "no", ""
		if p.Ready {
			ready = "yes"
		}
		if p.LastOK != nil {
			lastOK = survey.Span(s.At.Sub(*p.LastOK)) + " ago"
		}
		fmt.Fprintln(t, strings.Join([]string{
			p.Namespace, or(p.Pod, "-"), p.ServiceAccount, or(p.Method, "-"), or(plain(p.Role), "-"), or(p.Delivery, "-"), ready,
			or(left(s.At, p.CertificateExpires), "-"), or(left(s.At, p.CredentialsExpire), "-"), or(lastOK, "-"), or(why(s.At, &p), "-"),
		}, "\t"))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if len(s.Workloads) == 0 {
		fmt.Fprintln(w, "no pod has an identity")
	}
	fmt.Fprintln(w)
	for _, p := range s.Programs {
		fmt.Fprintf(w, "%-20s  %d of %d ready\n", p.Name, p.Ready, p.Want)
	}
	for _, a := range s.Agents {
		fmt.Fprintf(w, "agent on %-11s  %s\n", a.Node, strings.Join(a.Says(), ", "))
	}
	for _, what := range s.Unseen {
		fmt.Fprintf(w, "not seen: %s\n", what)
	}
	return nil
}

// why is the reason, or in parentheses the last that was told, which may be
// mended since.
func why(now time.Time, p *survey.Workload) string {
	if p.Reason != "" || p.LastRefusal == nil {
		return plain(p.Reason)
	}
	return "(" + plain(p.LastRefusal.Reason) + " " + survey.Span(now.Sub(p.LastRefusal.At)) + " ago)"
}

func left(now time.Time, end *time.Time) string {
	switch {
	case end == nil:
		return ""
	case !end.After(now):
		return "ended"
	}
	return survey.Span(end.Sub(now))
}
