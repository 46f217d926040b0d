package gather

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"

	"daypass.dev/doctor"
	"daypass.dev/internal/cli"
	"daypass.dev/pki"
	"daypass.dev/proof"
)

// problem is an error as doctor has it, with the hint that it carries.
func problem(on, slug string, err error) doctor.Problem {
	p := doctor.Problem{Reason: slug, On: on, Detail: err.Error()}
	var told *cli.Error
	var file *proof.FileError
	switch {
	case errors.As(err, &told):
		p.Mend = told.Hint
	case errors.As(err, &file):
		p.Mend = file.Hint
	}
	return p
}

// fileReason says why a file is of no use.
func fileReason(err error) string {
	var file *proof.FileError
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.As(err, &file) && file.Path == "":
		return "proof-missing"
	case errors.Is(err, fs.ErrPermission):
		return "proof-unreadable"
	}
	return "proof-form"
}

// certificate reads the workload's key and certificate as daypass does; what
// daypass would not use together is still examined, piece by piece.
func (c *Case) certificate(ctx context.Context, e *doctor.Evidence) {
	if err := c.Settings.Missing(); err != nil && (c.Ask || c.Settings.Certificate == "") {
		e.Problems = append(e.Problems, problem(doctor.StepSettings, "settings-missing", err))
	}
	if c.Settings.Certificate == "" {
		return
	}
	key, err := c.Settings.Keys(c.Log).Key(ctx)
	if err == nil {
		e.Certificate = &pki.Evidence{Leaf: key.Leaf, Key: key.Signer.Public(), Intermediates: key.Chain}
		return
	}
	e.Certificate = c.pieces()
	told := e.Certificate != nil && pki.Refused(pki.Check(*e.Certificate, e.Now))
	// A leaf may be looked at without its key.
	alone := e.Certificate != nil && c.Settings.PrivateKey == "" && !c.Ask
	// The rules name the fault better than whoever could not use the files.
	if !told && !alone {
		e.Problems = append(e.Problems, problem(doctor.StepCertificate, fileReason(err), err))
	}
}

// pieces reads certificates and key one by one; nil if there is no leaf.
func (c *Case) pieces() *pki.Evidence {
	certs, data := certificatesIn(c.Settings.Certificate)
	if certs == nil {
		return nil
	}
	e := &pki.Evidence{Leaf: certs[0], Intermediates: certs[1:]}
	if path := c.Settings.Intermediates; path != "" {
		more, _ := certificatesIn(path)
		e.Intermediates = append(e.Intermediates, more...)
	}
	if path := c.Settings.PrivateKey; path != "" {
		data, _ = cli.ReadFile(path, cli.Small)
	}
	if key, err := pki.ParseKey(data); err == nil {
		e.Key = key.Public()
	}
	return e
}

func certificatesIn(path string) ([]*x509.Certificate, []byte) {
	data, err := cli.ReadFile(path, cli.Small)
	if err != nil {
		return nil, nil
	}
	certs, err := pki.ParseCertificates(data)
	if err != nil {
		return nil, nil
	}
	return certs, data
}

// token reads the workload's token.
func (c *Case) token(ctx context.Context, e *doctor.Evidence) {
	if path := c.Settings.WebIdentityTokenFile; path != "" {
		data, err := cli.ReadFile(path, cli.Small)
		if err != nil {
			e.Problems = append(e.Problems, problem(doctor.StepToken, fileReason(err), err))
			return
		}
		e.Token = doctor.ParseToken(string(data))
	} else {
		source, err := c.Settings.Tokens()
		if err == nil {
			var t *proof.Token
			if t, err = source.Token(ctx); err == nil {
				e.Token = doctor.ParseToken(t.Text.Reveal())
			}
		}
		if err != nil {
			slug := "proof-missing"
			if said := doctor.Recognise(err.Error()); len(said) == 1 { // who issues it refuses
				slug = said[0]
			}
			e.Problems = append(e.Problems, problem(doctor.StepToken, slug, err))
			return
		}
	}
	if issuer := e.Token.Issuer(); issuer != "" && c.Ask {
		e.Issuer = c.issuer(ctx, issuer)
	}
}

// tail reads the end of a file that may be long.
func tail(path string) ([]byte, error) {
	const most = 8 << 20
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > most {
		if _, err := f.Seek(-most, io.SeekEnd); err != nil {
			return nil, err
		}
	}
	return io.ReadAll(io.LimitReader(f, most))
}

// decision takes the sandbox's own word of its last refusal.
func (c *Case) decision(e *doctor.Evidence) {
	if c.Decisions == "" {
		return
	}
	data, err := tail(c.Decisions)
	if err != nil {
		e.Problems = append(e.Problems, problem(doctor.StepSettings, "proof-missing", err))
		return
	}
	for line := range strings.Lines(string(data)) {
		var d struct {
			Allowed                                        bool
			Operation, Code, Message, Reason, Detail, Mend string
		}
		if json.Unmarshal([]byte(line), &d) == nil && !d.Allowed && d.Reason != "" {
			e.Answer = &doctor.Answer{
				Text:     d.Operation + ": " + d.Code + ": " + d.Message,
				Decision: d.Reason, Detail: d.Detail, Mend: d.Mend,
			}
		}
	}
}
