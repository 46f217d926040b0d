package kms

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/json"

	"daypass.dev/sandbox/wire"
	"daypass.dev/sandbox/world"
)

const (
	maxPlain   = 4096 // what Encrypt takes
	symmetric  = "SYMMETRIC_DEFAULT"
	cipherMark = "\x01daypass-sandbox-kms\x00"
)

// A ciphertext is the mark, one byte of length, the key's ARN, the nonce, and
// what GCM makes over the encryption context.
func sealWith(k world.Key, plain []byte, encryption map[string]string) ([]byte, error) {
	gcm, err := gcmOf(k)
	if err != nil {
		return nil, err
	}
	blob := append([]byte(cipherMark), byte(len(k.ARN)))
	blob = append(blob, k.ARN...)
	nonce := make([]byte, gcm.NonceSize())
	_, _ = rand.Read(nonce)
	blob = append(blob, nonce...)
	return gcm.Seal(blob, nonce, plain, additional(encryption)), nil
}

// keyOf reads which key a ciphertext needs; ok is false if it is none of ours.
func keyOf(blob []byte) (arn string, rest []byte, ok bool) {
	if len(blob) <= len(cipherMark) || string(blob[:len(cipherMark)]) != cipherMark {
		return "", nil, false
	}
	blob = blob[len(cipherMark):]
	n := int(blob[0])
	if len(blob) < 1+n {
		return "", nil, false
	}
	return string(blob[1 : 1+n]), blob[1+n:], true
}

func openWith(k world.Key, sealed []byte, encryption map[string]string) ([]byte, error) {
	gcm, err := gcmOf(k)
	if err != nil {
		return nil, err
	}
	if len(sealed) < gcm.NonceSize() {
		return nil, invalidCiphertext("it is cut short")
	}
	plain, err := gcm.Open([]byte{}, sealed[:gcm.NonceSize()], sealed[gcm.NonceSize():], additional(encryption))
	if err != nil {
		return nil, invalidCiphertext("it was altered, or the encryption context is not the one that it was made with")
	}
	return plain, nil
}

func gcmOf(k world.Key) (cipher.AEAD, error) {
	if k.Usage != "ENCRYPT_DECRYPT" {
		return nil, wire.Refuse("kms-key-usage", "InvalidKeyUsageException", k.ARN+" key usage is "+k.Usage+" which is not valid for this operation.", "the key signs")
	}
	block, err := aes.NewCipher(k.Material)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// additional writes the context the same way each time: encoding/json sorts.
func additional(encryption map[string]string) []byte {
	if len(encryption) == 0 {
		return nil
	}
	b, _ := json.Marshal(encryption)
	return b
}

func invalidCiphertext(detail string) *world.Refusal {
	return wire.Refuse("kms-ciphertext", "InvalidCiphertextException", "", detail)
}

// usable finds an enabled key that the caller may use.
func usable(c *world.Call, id, operation string, encryption map[string]string) (world.Key, error) {
	k, err := find(c, id, operation, encryption)
	if err == nil {
		err = k.Usable()
	}
	return k, err
}

func onlySymmetric(algorithms ...string) error {
	for _, a := range algorithms {
		if a != "" && a != symmetric {
			return wire.Refuse("kms-key-usage", "InvalidKeyUsageException", "Algorithm "+a+" is incompatible with key spec SYMMETRIC_DEFAULT.", "symmetric keys have one algorithm")
		}
	}
	return nil
}

func encrypt(c *world.Call, in struct {
	keyIn
	Plaintext           []byte
	EncryptionContext   map[string]string
	EncryptionAlgorithm string
	GrantTokens         []string
}) (any, error) {
	k, err := usable(c, in.KeyID, "Encrypt", in.EncryptionContext)
	if err == nil {
		err = onlySymmetric(in.EncryptionAlgorithm)
	}
	if err != nil {
		return nil, err
	}
	if len(in.Plaintext) == 0 || len(in.Plaintext) > maxPlain {
		return nil, invalid("1 validation error detected: Value at 'plaintext' failed to satisfy constraint: Member must have length between 1 and 4096")
	}
	blob, err := sealWith(k, in.Plaintext, in.EncryptionContext)
	if err != nil {
		return nil, err
	}
	return map[string]any{"CiphertextBlob": blob, "KeyId": k.ARN, "EncryptionAlgorithm": symmetric}, nil
}

func decrypt(c *world.Call, in struct {
	keyIn
	CiphertextBlob      []byte
	EncryptionContext   map[string]string
	EncryptionAlgorithm string
	GrantTokens         []string
}) (any, error) {
	k, plain, err := decipher(c, "Decrypt", in.KeyID, in.CiphertextBlob, in.EncryptionContext)
	if err == nil {
		err = onlySymmetric(in.EncryptionAlgorithm)
	}
	if err != nil {
		return nil, err
	}
	return map[string]any{"Plaintext": plain, "KeyId": k.ARN, "EncryptionAlgorithm": symmetric}, nil
}

// decipher opens a ciphertext by the key that it names. Who may not use the key
// is told no more than who asks for one that does not exist.
func decipher(c *world.Call, operation, id string, blob []byte, encryption map[string]string) (world.Key, []byte, error) {
	arn, sealed, ok := keyOf(blob)
	if !ok {
		return world.Key{}, nil, invalidCiphertext("no key of this sandbox has made it")
	}
	k, ok := c.World.Key(c.Caller.Account, c.Region, arn)
	if !ok {
		return k, nil, wire.Refuse("kms-ciphertext-key", "AccessDeniedException",
			"The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access.",
			"the ciphertext is of "+arn)
	}
	if id != "" {
		if named, ok := c.World.Key(c.Caller.Account, c.Region, id); !ok || named.ARN != k.ARN {
			return k, nil, wire.Refuse("kms-ciphertext-key", "IncorrectKeyException",
				"The key ID in the request does not identify a CMK that can perform this operation.", "the ciphertext is of "+arn)
		}
	}
	if err := c.UseKey(world.KeyUse{Operation: operation, Key: k, Context: encryption}); err != nil {
		return k, nil, err
	}
	if err := k.Usable(); err != nil {
		return k, nil, err
	}
	plain, err := openWith(k, sealed, encryption)
	return k, plain, err
}

func reEncrypt(c *world.Call, in struct {
	CiphertextBlob                                            []byte
	SourceEncryptionContext, DestinationEncryptionContext     map[string]string
	SourceKeyID                                               string `json:"SourceKeyId"`
	DestinationKeyID                                          string `json:"DestinationKeyId"`
	SourceEncryptionAlgorithm, DestinationEncryptionAlgorithm string
	GrantTokens                                               []string
}) (any, error) {
	from, plain, err := decipher(c, "ReEncryptFrom", in.SourceKeyID, in.CiphertextBlob, in.SourceEncryptionContext)
	if err != nil {
		return nil, err
	}
	to, err := usable(c, in.DestinationKeyID, "ReEncryptTo", in.DestinationEncryptionContext)
	if err == nil {
		err = onlySymmetric(in.SourceEncryptionAlgorithm, in.DestinationEncryptionAlgorithm)
	}
	if err != nil {
		return nil, err
	}
	blob, err := sealWith(to, plain, in.DestinationEncryptionContext)
	if err != nil {
		return nil, err
	}
	return map[string]any{
		"CiphertextBlob": blob, "SourceKeyId": from.ARN, "KeyId": to.ARN,
		"SourceEncryptionAlgorithm": symmetric, "DestinationEncryptionAlgorithm": symmetric,
	}, nil
}

type dataKeyIn struct {
	keyIn
	KeySpec           string
	NumberOfBytes     int
	EncryptionContext map[string]string
	GrantTokens       []string
}

func generateDataKey(c *world.Call, in dataKeyIn) (any, error) {
	k, plain, blob, err := dataKey(c, in, "GenerateDataKey")
	if err != nil {
		return nil, err
	}
	return map[string]any{"CiphertextBlob": blob, "Plaintext": plain, "KeyId": k.ARN}, nil
}

func generateDataKeyWithoutPlaintext(c *world.Call, in dataKeyIn) (any, error) {
	k, _, blob, err := dataKey(c, in, "GenerateDataKeyWithoutPlaintext")
	if err != nil {
		return nil, err
	}
	return map[string]any{"CiphertextBlob": blob, "KeyId": k.ARN}, nil
}

func dataKey(c *world.Call, in dataKeyIn, operation string) (k world.Key, plain, blob []byte, err error) {
	if k, err = usable(c, in.KeyID, operation, in.EncryptionContext); err != nil {
		return
	}
	n := in.NumberOfBytes
	switch {
	case in.KeySpec == "AES_256" && n == 0:
		n = 32
	case in.KeySpec == "AES_128" && n == 0:
		n = 16
	case in.KeySpec != "" || n < 1 || n > 1024:
		err = invalid("Please specify either number of bytes or key spec.")
		return
	}
	plain = make([]byte, n)
	_, _ = rand.Read(plain)
	blob, err = sealWith(k, plain, in.EncryptionContext)
	return
}
