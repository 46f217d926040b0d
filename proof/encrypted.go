package proof

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"hash"

	"golang.org/x/crypto/scrypt"

	"daypass.dev"
)

// Whoever wrote a file chose what opening it costs. These bounds are far above
// what programs write, and keep it to seconds: OpenSSL writes 2,048 rounds of
// PBKDF2, and takes no more than 32 MiB for scrypt.
const (
	maxRounds       = 10_000_000
	maxScryptMemory = 64 << 20
	maxScryptLanes  = 16
)

// An asker yields the password of the file at path.
type asker func(path string) (daypass.Secret, error)

var (
	errNoPassword = errors.New("no password is given")
	errPassword   = errors.New("the password is wrong, or the content is damaged")
	errDamaged    = errors.New("the encrypted key does not parse")
)

// An encryptedKey is EncryptedPrivateKeyInfo of RFC 5958 section 3.
type encryptedKey struct {
	Algorithm pkix.AlgorithmIdentifier
	Data      []byte
}

// decryptPKCS8 returns the PKCS#8 within. It knows PBES2 (RFC 8018 section
// 6.2) with PBKDF2 or scrypt, and AES in CBC mode.
func decryptPKCS8(der []byte, password string) ([]byte, error) {
	var outer encryptedKey
	if err := unmarshal(der, &outer); err != nil {
		return nil, errDamaged
	}
	if id := outer.Algorithm.Algorithm.String(); id != "1.2.840.113549.1.5.13" {
		return nil, fmt.Errorf("the key's encryption %s is not PBES2", id)
	}
	var scheme struct{ KDF, Cipher pkix.AlgorithmIdentifier }
	if err := unmarshal(outer.Algorithm.Parameters.FullBytes, &scheme); err != nil {
		return nil, errDamaged
	}
	var length int
	switch id := scheme.Cipher.Algorithm.String(); id {
	case "2.16.840.1.101.3.4.1.2":
		length = 16
	case "2.16.840.1.101.3.4.1.22":
		length = 24
	case "2.16.840.1.101.3.4.1.42":
		length = 32
	default:
		return nil, fmt.Errorf("the key's cipher %s is not AES in CBC mode", id)
	}
	var iv []byte
	if err := unmarshal(scheme.Cipher.Parameters.FullBytes, &iv); err != nil || len(iv) != aes.BlockSize {
		return nil, errDamaged
	}
	secret, err := derive(scheme.KDF, password, length)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(secret)
	if err != nil {
		return nil, err
	}
	return unpad(block, iv, outer.Data)
}

// derive makes the key of a cipher out of a password.
func derive(kdf pkix.AlgorithmIdentifier, password string, length int) ([]byte, error) {
	switch id := kdf.Algorithm.String(); id {
	case "1.2.840.113549.1.5.12":
		return derivePBKDF2(kdf.Parameters.FullBytes, password, length)
	case "1.3.6.1.4.1.11591.4.11":
		return deriveScrypt(kdf.Parameters.FullBytes, password, length)
	default:
		return nil, fmt.Errorf("the key's derivation %s is neither PBKDF2 nor scrypt", id)
	}
}

// derivePBKDF2 follows RFC 8018 appendix A.2.
func derivePBKDF2(params []byte, password string, length int) ([]byte, error) {
	var p struct {
		Salt   []byte
		Rounds int
		Length int                      `asn1:"optional"`
		PRF    pkix.AlgorithmIdentifier `asn1:"optional"`
	}
	if err := unmarshal(params, &p); err != nil || p.Rounds < 1 || p.Length != 0 && p.Length != length {
		return nil, errDamaged
	}
	if p.Rounds > maxRounds {
		return nil, fmt.Errorf("opening the key takes %d rounds of PBKDF2, more than %d", p.Rounds, maxRounds)
	}
	var prf func() hash.Hash
	switch id := p.PRF.Algorithm.String(); id {
	case "", "1.2.840.113549.2.7":
		prf = sha1.New // the default
	case "1.2.840.113549.2.9":
		prf = sha256.New
	case "1.2.840.113549.2.10":
		prf = sha512.New384
	case "1.2.840.113549.2.11":
		prf = sha512.New
	default:
		return nil, fmt.Errorf("the key's derivation takes the hash %s, which is not HMAC with SHA-1 or SHA-2", id)
	}
	return pbkdf2.Key(prf, password, p.Salt, p.Rounds, length)
}

// deriveScrypt follows RFC 7914 section 7.
func deriveScrypt(params []byte, password string, length int) ([]byte, error) {
	var p struct {
		Salt    []byte
		N, R, P int
		Length  int `asn1:"optional"`
	}
	if err := unmarshal(params, &p); err != nil || p.N < 2 || p.R < 1 || p.P < 1 || p.Length != 0 && p.Length != length {
		return nil, errDamaged
	}
	// It holds N blocks of 128·r bytes, and one for each lane.
	if p.N > maxScryptMemory || p.P > maxScryptLanes || p.R > maxScryptMemory/128/max(p.N, p.P) {
		return nil, fmt.Errorf("opening the key takes scrypt with N=%d, r=%d, p=%d, more than %d MiB or %d lanes",
			p.N, p.R, p.P, maxScryptMemory>>20, maxScryptLanes)
	}
	secret, err := scrypt.Key([]byte(password), p.Salt, p.N, p.R, p.P, length)
	if err != nil {
		return nil, errDamaged // N is no power of two
	}
	return secret, nil
}

// unpad decrypts and takes the padding away, RFC 8018 section 6.1.1. A wrong
// password shows in the padding, except for one in 256.
func unpad(block cipher.Block, iv, data []byte) ([]byte, error) {
	size := block.BlockSize()
	if len(data) == 0 || len(data)%size != 0 {
		return nil, errDamaged
	}
	plain := make([]byte, len(data))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(plain, data)
	padding := int(plain[len(plain)-1])
	if padding < 1 || padding > size {
		return nil, errPassword
	}
	for _, b := range plain[len(plain)-padding:] {
		if int(b) != padding {
			return nil, errPassword
		}
	}
	return plain[:len(plain)-padding], nil
}

// unopened says why something encrypted was not opened, and where the password
// is not the cause, what else can be done. It is nil if err is.
func unopened(err error, hint string) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errPassword):
		hint = ""
	}
	return &mistake{text: err.Error(), hint: hint, cause: err}
}

// unmarshal is asn1.Unmarshal of a whole text.
func unmarshal(der []byte, into any) error {
	rest, err := asn1.Unmarshal(der, into)
	if err == nil && len(rest) > 0 {
		err = errors.New("trailing data")
	}
	return err
}
