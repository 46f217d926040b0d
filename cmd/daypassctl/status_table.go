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
		row := []string{
			p.Namespace, p.Pod, p.ServiceAccount, p.Method, p.Role, p.Delivery, ready,
			left(s.At, p.CertificateExpires), left(s.At, p.CredentialsExpire), lastOK, why(s.At, &p),
		}
		for i := range row { // whoever makes pods writes much of it
			row[i] = or(plain(row[i]), "-")
		}
		fmt.Fprintln(t, strings.Join(row, "\t"))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if len(s.Workloads) == 0 {
		fmt.Fprintln(w, "no pod has an identity")
	}
	fmt.Fprintln(w)
	for _, p := range s.Programs {
		fmt.Fprintf(w, "%-20s  %d of %d ready\n", plain(p.Name), p.Ready, p.Want)
	}
	for _, a := range s.Agents {
		fmt.Fprintf(w, "agent on %-11s  %s\n", plain(a.Node), plain(strings.Join(a.Says(), ", ")))
	}
	for _, what := range s.Unseen {
		fmt.Fprintf(w, "not seen: %s\n", plain(what))
	}
	return nil
}

// why is the reason, or in parentheses the last that was told, which may be
// mended since.
func why(now time.Time, p *survey.Workload) string {
	if p.Reason != "" || p.LastRefusal == nil {
		return p.Reason
	}
	return "(" + p.LastRefusal.Reason + " " + survey.Span(now.Sub(p.LastRefusal.At)) + " ago)"
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
