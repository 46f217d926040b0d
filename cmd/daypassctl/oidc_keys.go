package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"daypass.dev/internal/cli"
)

// maxIssuerKeys of each type is what STS takes.
const maxIssuerKeys = 100

// issuerKeys are what is to be published, and a line for each.
type issuerKeys struct {
	keys   []jose.JSONWebKey
	report []string
}

// readIssuerKeys reads a JSON Web Key Set (RFC 7517) of keys that AWS can use
// to verify with. One that could sign is an error: it must not be published.
func readIssuerKeys(text []byte) (*issuerKeys, error) {
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(text, &set); err != nil {
		return nil, errors.New("this is no JSON Web Key Set") // whose parser may quote a key
	}
	if len(set.Keys) == 0 {
		return nil, errors.New("it lists no key")
	}
	s := &issuerKeys{}
	for i, k := range set.Keys {
		if !k.IsPublic() {
			return nil, fmt.Errorf("key %d could sign, and must not be published", i+1)
		}
		if k.KeyID == "" || !k.Valid() {
			return nil, fmt.Errorf("key %d has no kid, or is not whole", i+1)
		}
		if _, err := algorithmOf(k.Key); err != nil {
			return nil, fmt.Errorf("key %s: %w", k.KeyID, err)
		}
		s.add(k, "key ")
	}
	return s, nil
}

// add adds a key, unless it is there; as begins its line in the report.
func (s *issuerKeys) add(k jose.JSONWebKey, as string) {
	if s.has(k.KeyID) {
		return
	}
	alg, _ := algorithmOf(k.Key)
	s.keys = append(s.keys, jose.JSONWebKey{Key: k.Key, KeyID: k.KeyID, Algorithm: alg, Use: "sig"})
	s.report = append(s.report, as+"  "+k.KeyID+" "+alg)
}

func (s *issuerKeys) has(kid string) bool {
	return slices.ContainsFunc(s.keys, func(k jose.JSONWebKey) bool { return k.KeyID == kid })
}

func (s *issuerKeys) text() ([]byte, error) {
	count := map[byte]int{}
	for _, k := range s.keys {
		if count[k.Algorithm[0]]++; count[k.Algorithm[0]] > maxIssuerKeys {
			return nil, cli.Usagef("let --keep be shorter", "there are more than %d keys of a type, and AWS takes no more", maxIssuerKeys)
		}
	}
	return indentedJSON(jose.JSONWebKeySet{Keys: s.keys})
}

// algorithmOf is how Kubernetes signs with the private half of a key.
func algorithmOf(key any) (string, error) {
	switch k := key.(type) {
	case *rsa.PublicKey:
		if k.N.BitLen() < 2048 {
			return "", fmt.Errorf("it has %d bits, and AWS takes 2048 or more", k.N.BitLen())
		}
		return "RS256", nil
	case *ecdsa.PublicKey:
		if alg := map[int]string{256: "ES256", 384: "ES384", 521: "ES512"}[k.Curve.Params().BitSize]; alg != "" {
			return alg, nil
		}
	}
	return "", errors.New("it is neither an RSA key nor one on P-256, P-384 or P-521")
}

// publicKey reads a PEM file and gives the key the kid that Kubernetes will:
// the SHA-256 of its SubjectPublicKeyInfo.
func publicKey(file string) (jose.JSONWebKey, error) {
	none := jose.JSONWebKey{}
	text, err := readFile("the key", file)
	if err != nil {
		return none, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return none, errors.New("it is not PEM")
	}
	var key crypto.PublicKey
	switch {
	case strings.HasSuffix(block.Type, "PRIVATE KEY"):
		return none, errors.New("this is the private key, and only the public one is to be published")
	case block.Type == "RSA PUBLIC KEY":
		key, err = x509.ParsePKCS1PublicKey(block.Bytes)
	case block.Type == "PUBLIC KEY":
		key, err = x509.ParsePKIXPublicKey(block.Bytes)
	default:
		err = fmt.Errorf("it is of type %.40q", block.Type)
	}
	if err != nil {
		return none, err
	}
	if _, err := algorithmOf(key); err != nil {
		return none, err
	}
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return none, err
	}
	sum := sha256.Sum256(der)
	return jose.JSONWebKey{Key: key, KeyID: base64.RawURLEncoding.EncodeToString(sum[:])}, nil
}

// merge adds the keys that were published before and that the cluster no longer
// lists, for as long as they stay, and returns since when each is gone.
func (o *oidcOptions) merge(set *issuerKeys, now time.Time) ([]byte, error) {
	gone, still := map[string]time.Time{}, map[string]time.Time{}
	text, err := readFile("what the folder remembers", filepath.Join(o.to, goneFile))
	if err == nil {
		err = json.Unmarshal(text, &gone)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, cli.Usagef("remove it; keys that are gone then stay once more", "%s: %w", goneFile, err)
	}
	text, err = readFile("the keys that are published", filepath.Join(o.to, filepath.FromSlash(keysPath)))
	if errors.Is(err, fs.ErrNotExist) {
		return indentedJSON(still)
	}
	if err != nil {
		return nil, err
	}
	old, err := readIssuerKeys(text)
	if err != nil {
		return nil, cli.Usagef("publish into another folder, or remove that file", "%s in %s: %w", keysPath, o.to, err)
	}
	for _, k := range old.keys {
		if set.has(k.KeyID) {
			continue
		}
		since, known := gone[k.KeyID]
		if !known {
			since = now.UTC().Truncate(time.Second)
		}
		if now.Sub(since) >= o.keep {
			set.report = append(set.report, "gone  "+k.KeyID)
			continue
		}
		set.add(k, "kept")
		still[k.KeyID] = since
	}
	return indentedJSON(still)
}

// discoveryDocument is the cluster's, with keys where they will be: the API
// server's own points to itself.
func discoveryDocument(about []byte, wanted string) ([]byte, error) {
	var doc struct {
		Issuer     string   `json:"issuer"`
		JWKSURI    string   `json:"jwks_uri"`
		Responses  []string `json:"response_types_supported"`
		Subjects   []string `json:"subject_types_supported"`
		Algorithms []string `json:"id_token_signing_alg_values_supported"`
	}
	if err := json.Unmarshal(about, &doc); err != nil {
		return nil, cli.Usagef("give what the API server answers at /"+discoveryPath, "the discovery document is no JSON object: %w", err)
	}
	const restart = "start the API server with --service-account-issuer set to the URL that AWS will read, first of several"
	u, err := url.Parse(doc.Issuer)
	switch {
	case wanted != "" && doc.Issuer != wanted:
		return nil, cli.Usagef(restart, "the cluster's tokens name the issuer %.200q, not %.200q", doc.Issuer, wanted)
	case err != nil || u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "":
		return nil, cli.Usagef(restart, "the cluster's issuer %.200q is no https URL", doc.Issuer)
	case !strings.Contains(u.Hostname(), ".") || strings.HasSuffix(u.Hostname(), ".svc") || strings.HasSuffix(u.Hostname(), ".local"):
		return nil, cli.Usagef(restart, "the cluster's issuer is %s, which only the cluster itself can reach", doc.Issuer)
	}
	doc.JWKSURI = strings.TrimSuffix(doc.Issuer, "/") + "/" + keysPath
	doc.Responses, doc.Subjects = []string{"id_token"}, []string{"public"}
	return indentedJSON(doc)
}

func indentedJSON(v any) ([]byte, error) {
	text, err := json.MarshalIndent(v, "", "  ")
	return append(text, '\n'), err
}
