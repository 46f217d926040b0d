package main

import (
	"crypto/x509"
	"encoding/json"
	"io"

	"github.com/spf13/cobra"

	"daypass.dev/internal/cli"
)

func readCertificateData() *cobra.Command {
	var path string
	c := &cobra.Command{
		Use:   "read-certificate-data",
		Short: "print what a request to Roles Anywhere tells of a certificate",
		Long: `Read-certificate-data prints one JSON document about the first certificate in a
PEM file, without a newline: the kind of its key, the certificate itself, its
serial number in decimal, and signature algorithms. What Roles Anywhere would
say to it, check tells.`,
		Example: `  daypass read-certificate-data --certificate tls.crt | jq -r .serialNumber`,
	}
	cli.Bind(c, cli.Setting{Flag: "certificate", Arg: "FILE", Into: &path, Help: "PEM file with the certificate"})
	c.RunE = func(c *cobra.Command, _ []string) error { return certificateData(c.OutOrStdout(), path) }
	return c
}

// certificateData prints the members that aws_signing_helper has, in its order.
func certificateData(w io.Writer, path string) error {
	if path == "" {
		return cli.Usagef("give --certificate (or DAYPASS_CERTIFICATE)", "--certificate is missing")
	}
	certificates, _, err := readCertificates(path)
	if err != nil {
		return cli.Usagef("name a PEM file", "reading certificate %s: %w", path, err)
	}
	leaf, kind := certificates[0], ""
	switch leaf.PublicKeyAlgorithm {
	case x509.RSA:
		kind = "RSA"
	case x509.ECDSA:
		kind = "EC"
	}
	document, err := json.Marshal(struct {
		Kind       string   `json:"keyType"`
		DER        []byte   `json:"certificateData"`
		Serial     string   `json:"serialNumber"`
		Algorithms []string `json:"supportedAlgorithms"`
	}{kind, leaf.Raw, leaf.SerialNumber.String(), []string{kind + "SHA256", kind + "SHA384", kind + "SHA512"}})
	if err != nil {
		return err
	}
	_, err = w.Write(document)
	return err
}
