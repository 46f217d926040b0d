package kms

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"maps"
	"slices"
	"strings"

	"daypass.dev/sandbox/wire"
	"daypass.dev/sandbox/world"
)

// algorithms are the signing algorithms of a key spec, with the hash of each.
func algorithms(spec string) map[string]crypto.Hash {
	switch {
	case strings.HasPrefix(spec, "RSA_"):
		return map[string]crypto.Hash{
			"RSASSA_PKCS1_V1_5_SHA_256": crypto.SHA256, "RSASSA_PKCS1_V1_5_SHA_384": crypto.SHA384, "RSASSA_PKCS1_V1_5_SHA_512": crypto.SHA512,
			"RSASSA_PSS_SHA_256": crypto.SHA256, "RSASSA_PSS_SHA_384": crypto.SHA384, "RSASSA_PSS_SHA_512": crypto.SHA512,
		}
	case spec == "ECC_NIST_P256":
		return map[string]crypto.Hash{"ECDSA_SHA_256": crypto.SHA256}
	case spec == "ECC_NIST_P384":
		return map[string]crypto.Hash{"ECDSA_SHA_384": crypto.SHA384}
	}
	return nil
}

type signIn struct {
	keyIn
	Message                       []byte
	MessageType, SigningAlgorithm string
	GrantTokens                   []string
}

// prepare finds the key and the digest of the message.
func (in signIn) prepare(c *world.Call, operation string) (world.Key, crypto.Signer, crypto.Hash, []byte, error) {
	fail := func(err error) (world.Key, crypto.Signer, crypto.Hash, []byte, error) {
		return world.Key{}, nil, 0, nil, err
	}
	k, err := usable(c, in.KeyID, operation, nil)
	if err != nil {
		return fail(err)
	}
	signer, err := signerOf(k)
	if err != nil {
		return fail(err)
	}
	hash, ok := algorithms(k.Spec)[in.SigningAlgorithm]
	if !ok {
		return fail(wire.Refuse("kms-key-usage", "InvalidKeyUsageException",
			"Algorithm "+in.SigningAlgorithm+" is incompatible with key spec "+k.Spec+".", "the key has other algorithms"))
	}
	digest := in.Message
	switch in.MessageType {
	case "", "RAW":
		if len(in.Message) < 1 || len(in.Message) > maxPlain {
			return fail(invalid("1 validation error detected: Value at 'message' failed to satisfy constraint: Member must have length between 1 and 4096"))
		}
		h := hash.New()
		h.Write(in.Message)
		digest = h.Sum(nil)
	case "DIGEST":
		if len(digest) != hash.Size() {
			return fail(invalid("Digest is invalid length for algorithm " + in.SigningAlgorithm + "."))
		}
	default:
		return fail(invalid("1 validation error detected: Value at 'messageType' failed to satisfy constraint: Member must satisfy enum value set: [RAW, DIGEST]"))
	}
	return k, signer, hash, digest, nil
}

func signerOf(k world.Key) (crypto.Signer, error) {
	if k.Usage != "SIGN_VERIFY" {
		return nil, wire.Refuse("kms-key-usage", "InvalidKeyUsageException", k.ARN+" key usage is "+k.Usage+" which is not valid for this operation.", "the key encrypts")
	}
	key, err := x509.ParsePKCS8PrivateKey(k.Material)
	if err != nil {
		return nil, err
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, errors.New("the key's material does not sign")
	}
	return signer, nil
}

func sign(c *world.Call, in signIn) (any, error) {
	k, signer, hash, digest, err := in.prepare(c, "Sign")
	if err != nil {
		return nil, err
	}
	var options crypto.SignerOpts = hash
	if strings.Contains(in.SigningAlgorithm, "_PSS_") {
		options = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: hash}
	}
	signature, err := signer.Sign(rand.Reader, digest, options)
	if err != nil {
		return nil, err
	}
	return map[string]any{"KeyId": k.ARN, "Signature": signature, "SigningAlgorithm": in.SigningAlgorithm}, nil
}

func verify(c *world.Call, in struct {
	signIn
	Signature []byte
}) (any, error) {
	k, signer, hash, digest, err := in.prepare(c, "Verify")
	if err != nil {
		return nil, err
	}
	good := false
	switch public := signer.Public().(type) {
	case *ecdsa.PublicKey:
		good = ecdsa.VerifyASN1(public, digest, in.Signature)
	case *rsa.PublicKey:
		if strings.Contains(in.SigningAlgorithm, "_PSS_") {
			good = rsa.VerifyPSS(public, hash, digest, in.Signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
		} else {
			good = rsa.VerifyPKCS1v15(public, hash, digest, in.Signature) == nil
		}
	}
	if !good {
		return nil, wire.Refuse("kms-signature", "KMSInvalidSignatureException", "", "the signature is not of this key over this message")
	}
	return map[string]any{"KeyId": k.ARN, "SignatureValid": true, "SigningAlgorithm": in.SigningAlgorithm}, nil
}

func getPublicKey(c *world.Call, in struct {
	keyIn
	GrantTokens []string
}) (any, error) {
	k, err := usable(c, in.KeyID, "GetPublicKey", nil)
	if err != nil {
		return nil, err
	}
	signer, err := signerOf(k)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKIXPublicKey(signer.Public())
	if err != nil {
		return nil, err
	}
	return map[string]any{
		"KeyId": k.ARN, "PublicKey": der, "KeySpec": k.Spec, "CustomerMasterKeySpec": k.Spec, "KeyUsage": k.Usage,
		"SigningAlgorithms": slices.Sorted(maps.Keys(algorithms(k.Spec))),
	}, nil
}
