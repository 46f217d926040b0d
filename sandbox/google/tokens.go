package google

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"math/big"
	"net/http"
	"time"

	"daypass.dev/sandbox/world"
)

const (
	issuer = "https://accounts.google.com"
	// life of ID tokens and of access tokens, as Google's.
	life = time.Hour
)

// A signer is the key of accounts.google.com, as the stand-in plays it.
type signer struct {
	key *rsa.PrivateKey
	kid string
}

// signer returns the key, and lets the world's STS know of it.
func (s *Service) signer(w *world.World) (*signer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.key != nil {
		return s.key, nil
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(key.N.Bytes())
	made := &signer{key, hex.EncodeToString(sum[:20])}
	set, err := json.Marshal(made.set())
	if err != nil {
		return nil, err
	}
	w.SetIssuer(issuer, world.Issuer{JWKS: set})
	s.key = made
	return made, nil
}

// set is the key as RFC 7517 writes it.
func (k *signer) set() any {
	return map[string]any{"keys": []any{map[string]string{
		"kty": "RSA", "use": "sig", "alg": "RS256", "kid": k.kid,
		"n": encode(k.key.N.Bytes()), "e": encode(big.NewInt(int64(k.key.E)).Bytes()),
	}}}
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// sign makes a token by RS256 (RFC 7515).
func (k *signer) sign(claims map[string]any) (string, error) {
	header, err := json.Marshal(map[string]string{"alg": "RS256", "kid": k.kid, "typ": "JWT"})
	if err != nil {
		return "", err
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	text := encode(header) + "." + encode(payload)
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, k.key, crypto.SHA256, sum[:])
	return text + "." + encode(signature), err
}

// token is an ID token of an account. azp is the account's number, as in all
// tokens of service accounts.
func (s *Service) token(c *world.Call, a world.GoogleAccount, audience string, email bool, more map[string]any) (string, error) {
	k, err := s.signer(c.World)
	if err != nil {
		return "", err
	}
	claims := map[string]any{
		"iss": issuer, "aud": audience, "azp": a.ID, "sub": a.ID,
		"iat": c.Time.Unix(), "exp": c.Time.Add(life).Unix(),
	}
	if email {
		claims["email"], claims["email_verified"] = a.Email, true
	}
	for name, value := range more {
		claims[name] = value
	}
	return k.sign(claims)
}

// publish answers as accounts.google.com does for those who verify tokens.
func (s *Service) publish(c *world.Call, w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Cache-Control", "public, max-age=3600")
	if r.URL.Path == discoveryPath {
		return answer(w, map[string]any{
			"issuer": issuer, "jwks_uri": "https://www.googleapis.com" + keysPath,
			"id_token_signing_alg_values_supported": []string{"RS256"},
			"response_types_supported":              []string{"id_token"},
			"subject_types_supported":               []string{"public"},
		})
	}
	k, err := s.signer(c.World)
	if err != nil {
		return err
	}
	return answer(w, k.set())
}

// granted is what an access token says.
type granted struct {
	account string // e-mail address
	expires time.Time
}

// keptAccess bounds the access tokens that are remembered; the oldest need not
// go first, for in a trial nobody has as many.
const keptAccess = 10000

func (s *Service) grant(c *world.Call, account string) string {
	token := "ya29." + rand.Text() + rand.Text()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.access == nil || len(s.access) >= keptAccess {
		s.access = map[string]granted{}
	}
	s.access[token] = granted{account, c.Time.Add(life)}
	return token
}

// holder is whose access token this is; empty: nobody's that is valid.
func (s *Service) holder(c *world.Call, token string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.access[token]
	if !c.Time.Before(g.expires) {
		return ""
	}
	return g.account
}
