// Gcloud is a stand-in for Google's program of that name: the three commands
// about service accounts that the walkthroughs use, for the sandbox's stand-in
// for Google. It is nobody's login.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"daypass.dev/internal/cli"
)

func main() { os.Exit(cli.Main(command())) }

func command() *cobra.Command {
	root := &cobra.Command{Use: "gcloud", Short: "A stand-in for Google's gcloud", Args: cobra.NoArgs}
	iam := &cobra.Command{Use: "iam", Args: cobra.NoArgs, Short: "Service accounts"}
	accounts := &cobra.Command{Use: "service-accounts", Args: cobra.NoArgs, Short: "Service accounts"}
	root.AddCommand(iam)
	iam.AddCommand(accounts)
	accounts.AddCommand(create(), describe(), bind())
	return root
}

func create() *cobra.Command {
	c := &cobra.Command{Use: "create NAME", Short: "Create a service account", Args: cobra.ExactArgs(1)}
	project := c.Flags().String("project", "", "the project")
	c.RunE = func(c *cobra.Command, args []string) error {
		err := call(c.Context(), http.MethodPost, *project+"/serviceAccounts", map[string]string{"accountId": args[0]}, nil)
		if err == nil {
			fmt.Fprintf(c.ErrOrStderr(), "Created service account [%s].\n", args[0])
		}
		return err
	}
	return c
}

func describe() *cobra.Command {
	c := &cobra.Command{Use: "describe EMAIL", Short: "Show a service account's number", Args: cobra.ExactArgs(1)}
	format := c.Flags().String("format", "", "only value(uniqueId)")
	c.RunE = func(c *cobra.Command, args []string) error {
		if *format != "value(uniqueId)" {
			return cli.Usagef("", "the stand-in knows --format 'value(uniqueId)' only")
		}
		var account struct {
			UniqueID string `json:"uniqueId"`
		}
		if err := call(c.Context(), http.MethodGet, "-/serviceAccounts/"+args[0], nil, &account); err != nil {
			return err
		}
		_, err := fmt.Fprintln(c.OutOrStdout(), account.UniqueID)
		return err
	}
	return c
}

type binding struct {
	Role    string   `json:"role"`
	Members []string `json:"members"`
}

type policy struct {
	Bindings []binding `json:"bindings"`
}

func bind() *cobra.Command {
	c := &cobra.Command{Use: "add-iam-policy-binding EMAIL", Short: "Let a member use a service account", Args: cobra.ExactArgs(1)}
	role := c.Flags().String("role", "", "what the member may")
	member := c.Flags().String("member", "", "who")
	c.RunE = func(c *cobra.Command, args []string) error {
		var p policy
		at := "-/serviceAccounts/" + args[0]
		if err := call(c.Context(), http.MethodPost, at+":getIamPolicy", struct{}{}, &p); err != nil {
			return err
		}
		i := slices.IndexFunc(p.Bindings, func(b binding) bool { return b.Role == *role })
		if i < 0 {
			p.Bindings = append(p.Bindings, binding{Role: *role})
			i = len(p.Bindings) - 1
		}
		p.Bindings[i].Members = append(p.Bindings[i].Members, *member)
		if err := call(c.Context(), http.MethodPost, at+":setIamPolicy", map[string]policy{"policy": p}, &p); err != nil {
			return err
		}
		_, err := fmt.Fprintf(c.ErrOrStderr(), "Updated IAM policy for serviceAccount [%s].\n", args[0])
		return err
	}
	return c
}

func call(ctx context.Context, method, path string, ask, into any) error {
	body, err := json.Marshal(ask)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, method, "https://iam.googleapis.com/v1/projects/"+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", answer.Status, strings.TrimSpace(string(text)))
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(text, into)
}
