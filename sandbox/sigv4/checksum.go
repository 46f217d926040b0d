package sigv4

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"strings"
)

// VerifyChecksum compares a header or trailer x-amz-checksum-ALGORITHM with
// data. An error is an *Error.
func VerifyChecksum(name, value string, data []byte) error {
	algorithm, ok := strings.CutPrefix(strings.ToLower(name), "x-amz-checksum-")
	want, err := Checksum(algorithm, data)
	switch {
	case ok && strings.HasPrefix(algorithm, "xxhash"):
		return refuse("checksum-not-built", "the sandbox does not compute "+clip(algorithm))
	case !ok || err != nil:
		return refuse("checksum-unsupported", clip(name)+" is not a checksum")
	case len(value) != len(want):
		return refuse("checksum-invalid", "the value of "+name+" is not such a checksum: "+clip(value), name)
	case value != want:
		return refuse("checksum-mismatch", name+" says "+clip(value)+", the body's is "+want, strings.ToUpper(algorithm))
	}
	return nil
}

// nvme is the polynomial of CRC-64/NVME, reflected.
const nvme = 0x9a6c9329ac4bc9b5

// Checksum is the base64 of data's checksum, as it stands in the header or
// trailer x-amz-checksum-ALGORITHM: crc32, crc32c, crc64nvme, sha1, sha256,
// sha512 or md5, in any case. The error names an algorithm that the sandbox
// does not know (xxhash64 and its kin).
func Checksum(algorithm string, data []byte) (string, error) {
	var h hash.Hash
	switch strings.ToLower(algorithm) {
	case "crc32":
		h = crc32.NewIEEE()
	case "crc32c":
		h = crc32.New(crc32.MakeTable(crc32.Castagnoli))
	case "crc64nvme":
		h = crc64.New(crc64.MakeTable(nvme))
	case "sha1":
		h = sha1.New()
	case "sha256":
		h = sha256.New()
	case "sha512":
		h = sha512.New()
	case "md5":
		h = md5.New()
	default:
		return "", fmt.Errorf("unknown checksum algorithm %.20q", algorithm)
	}
	h.Write(data)
	return base64.StdEncoding.EncodeToString(h.Sum(nil)), nil
}
