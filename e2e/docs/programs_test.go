package docs

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// programs are the flags of each command, as docs/cli.md has them, which is
// held to the programs' own help beside each of them.
type programs map[string]map[string]bool

var (
	commandHeading = regexp.MustCompile(`^##+ (daypass(?:ctl|-kube)?(?: [a-z-]+)*)$`)
	flagCell       = regexp.MustCompile("^\\|[^|]*`(--[a-z0-9-]+)")
	ours           = regexp.MustCompile(`^(?:kubectl-)?daypass(?:ctl|-kube)?$`)
	flagWord       = regexp.MustCompile(`^--[a-z][a-z0-9-]*`)
	helmValue      = regexp.MustCompile(`[ (]--set (?:-[a-z]+ )?([a-zA-Z][\w.]*)`)
)

func readPrograms(t *testing.T) programs {
	t.Helper()
	all, at := programs{}, ""
	for _, line := range open(t, root+"/docs/cli.md").prose {
		if m := commandHeading.FindStringSubmatch(line); m != nil {
			at = m[1]
			all[at] = map[string]bool{"--help": true}
		} else if m := flagCell.FindStringSubmatch(line); m != nil && at != "" {
			all[at][m[1]] = true
		}
	}
	if len(all) < 40 || !all["daypass serve"]["--audit-log"] {
		t.Fatalf("docs/cli.md has %d commands, or not the flags of daypass serve", len(all))
	}
	all["daypass"]["--version"] = true
	return all
}

// flag reports whether any command has it.
func (all programs) flag(name string) bool {
	for _, flags := range all {
		if flags[name] {
			return true
		}
	}
	return false
}

// wrong looks through a command line of ours, from the program's name on, and
// says what of it does not exist.
func (all programs) wrong(words []string) (command, flag string) {
	command = strings.TrimPrefix(words[0], "kubectl-")
	words = words[1:]
	for len(words) > 0 && all[command+" "+words[0]] != nil {
		command, words = command+" "+words[0], words[1:]
	}
	for _, w := range words {
		if w == "--" || strings.ContainsAny(w, "|;&>)") {
			break
		}
		if f := flagWord.FindString(w); f != "" && !all[command][f] {
			return command, f
		}
	}
	return command, ""
}

// naming are words after which daypass is the name of a namespace or release.
var naming = []string{"-n", "--namespace", "--container", "install", "--install", "upgrade", "uninstall"}

// spelt calls f with each command line of ours in a text, its words split at
// spaces. What stands before the program's name is passed over.
func spelt(text string, f func(words []string)) {
	text = strings.NewReplacer("\\\n> ", " ", "\\\n", " ").Replace(text)
	for _, line := range strings.Split(text, "\n") {
		words := strings.Fields(strings.NewReplacer("$(", " ", "(", " ", `"`, " ", "`", " ").Replace(line))
		for i, w := range words {
			if ours.MatchString(w) && (i == 0 || !slices.Contains(naming, words[i-1])) {
				f(words[i:])
			}
		}
	}
}

// foreign are the pages that tell of other programs' flags, too.
var foreign = map[string][]string{
	"docs/aws-signing-helper.md": {
		"--cert-selector", "--debug", "--hop-limit", "--no-tpm-key-password", "--no-verify-ssl", "--pkcs11-lib", "--pkcs8-password", "--port", "--reuse-pin",
		"--system-store-name", "--tpm-key-password", "--use-latest-expiring-certificate", "--with-proxy",
	},
	"docs/gtoken.md": {"--refresh"},
	"docs/migrate.md": {
		"--annotation-prefix", "--aws-default-region", "--bind-hosts", "--compose-role-arn", "--container-credentials-", "--debug", "--disable-approved-check", "--in-cluster",
		"--max-cache-size", "--max-credential-retention-before-renewal", "--max-service-qps", "--metrics-port", "--no-verify-ssl", "--port", "--probe-port", "--pull-policy",
		"--rotate-credentials", "--sts-regional-endpoint", "--tls-cert-file", "--tls-private-key-file", "--token-audience", "--token-expiration", "--token-file",
		"--volume-name", "--volume-path", "--watch-config-map", "--watch-container-credentials-config", "--with-proxy",
	},
	"docs/injection.md": {"--set"},
	"docs/signer.md":    {"--runtime-config"},
}

// inChinese are those that only the page in Chinese names.
var inChinese = map[string][]string{
	"docs/zh-CN/walkthroughs/01-kubernetes.md": {"--key-storage-security-standard"},
	"docs/zh-CN/walkthroughs/02-container.md":  {"--build-arg"},
}

// A flag that a page names is one of ours, of that command where the page names
// the command, or on the list of others'.
func TestEveryFlagExists(t *testing.T) {
	all := readPrograms(t)
	commands, flags := 0, 0
	for _, p := range pages(t) {
		if p.path == "CHANGELOG.md" {
			continue
		}
		used := map[string]bool{}
		look := func(line int, text string) {
			spelt(text, func(words []string) {
				commands++
				if command, flag := all.wrong(words); flag != "" {
					t.Errorf("%s:%d: %s has no flag %s", p.path, line, command, flag)
				}
			})
		}
		for _, b := range p.blocks {
			if b.File == "" {
				look(b.Line, strings.Join(b.Body, "\n"))
			}
		}
		p.code(func(line int, text string) {
			look(line, text)
			words := strings.Fields(text)
			if ours.MatchString(words[0]) {
				return // looked at
			}
			for _, w := range words {
				flag := flagWord.FindString(w)
				if flag == "" {
					continue
				}
				flags++
				if strings.HasPrefix(text, "--") && !all.flag(flag) {
					used[flag] = true
				}
			}
		})
		known := map[string]bool{}
		for _, f := range slices.Concat(foreign[p.of()], inChinese[p.path]) {
			if known[f] = true; !used[f] {
				t.Errorf("%s does not name %s any more: take it off the list", p.path, f)
			}
		}
		for f := range used {
			if !known[f] {
				t.Errorf("%s: no program of ours has a flag %s", p.path, f)
			}
		}
	}
	if commands < 100 || flags < 100 {
		t.Errorf("%d commands and %d flags were looked at", commands, flags)
	}
}

var makeTarget = regexp.MustCompile("(?:^|[ `(])make ([a-z][a-z-]*)")

func TestEveryMakeTargetExists(t *testing.T) {
	text, err := os.ReadFile(root + "/Makefile")
	if err != nil {
		t.Fatal(err)
	}
	targets := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^([a-z-]+):`).FindAllStringSubmatch(string(text), -1) {
		targets[m[1]] = true
	}
	named := 0
	for _, p := range pages(t) {
		p.code(func(line int, text string) {
			for _, m := range makeTarget.FindAllStringSubmatch(text, -1) {
				if named++; !targets[m[1]] {
					t.Errorf("%s:%d: the Makefile has no target %s", p.path, line, m[1])
				}
			}
		})
	}
	if named < 5 {
		t.Errorf("the pages name %d targets", named)
	}
}

// What a page sets of the chart is one of its values.
func TestEveryHelmValueExists(t *testing.T) {
	text, err := os.ReadFile(root + "/charts/daypass/values.yaml")
	if err != nil {
		t.Fatal(err)
	}
	values := helmValues(string(text))
	set, files := 0, 0
	for _, p := range pages(t) {
		look := func(line int, text string) {
			for _, one := range regexp.MustCompile(`helm (?:install|upgrade)[^\n]*charts/daypass[^\n]*`).FindAllString(strings.ReplaceAll(text, "\\\n", " "), -1) {
				for _, m := range helmValue.FindAllStringSubmatch(one, -1) {
					if set++; !values[m[1]] {
						t.Errorf("%s:%d: the chart has no value %s", p.path, line, m[1])
					}
				}
			}
		}
		for _, b := range p.blocks {
			body := strings.Join(b.Body, "\n")
			look(b.Line, strings.ReplaceAll(body, "\n> ", " "))
			if b.Kind != "yaml" || !strings.HasPrefix(body, "# values of charts/daypass\n") {
				continue
			}
			files++
			for name := range helmValues(body) {
				if set++; !values[name] {
					t.Errorf("%s:%d: the chart has no value %s", p.path, b.Line, name)
				}
			}
		}
		p.code(func(line int, text string) {
			name, _, _ := strings.Cut(strings.TrimPrefix(text, "--set "), "=")
			first, _, dotted := strings.Cut(name, ".")
			if dotted && values[first] && regexp.MustCompile(`^[a-zA-Z]+(\.[a-zA-Z]+)+$`).MatchString(name) {
				if set++; !values[name] {
					t.Errorf("%s:%d: the chart has no value %s", p.path, line, name)
				}
			}
		})
	}
	if set < 60 || files < 3 {
		t.Errorf("the pages set %d values, and show %d files of them", set, files)
	}
}

// helmValues are the paths of a chart's values, those of maps among them.
func helmValues(text string) map[string]bool {
	all := map[string]bool{}
	var at []string
	for _, line := range strings.Split(text, "\n") {
		key, value, ok := strings.Cut(strings.TrimLeft(line, " "), ":")
		if !ok || strings.HasPrefix(key, "#") {
			continue
		}
		depth := (len(line) - len(strings.TrimLeft(line, " "))) / 2
		at = append(at[:min(depth, len(at))], key)
		all[strings.Join(at, ".")] = true
		if inner, ok := strings.CutPrefix(strings.TrimSpace(value), "{"); ok {
			for _, part := range strings.Split(inner, ",") {
				name, _, _ := strings.Cut(part, ":")
				all[strings.Join(at, ".")+"."+strings.TrimSpace(name)] = true
			}
		}
	}
	return all
}
