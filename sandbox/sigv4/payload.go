package sigv4

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// maxBody bounds what ReadBody and Verify take, in bytes.
const maxBody = 64 << 20

// The values of X-Amz-Content-Sha256 that are not a hash.
const (
	unsignedPayload          = "UNSIGNED-PAYLOAD"
	streamingSigned          = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	streamingSignedTrailer   = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
	streamingUnsignedTrailer = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
)

// A payload is what a request says about its body.
type payload struct {
	hash    string // as it stands in the canonical request
	s3      bool
	checked bool // hash must be the body's
}

// readPayload applies the rules for X-Amz-Content-Sha256: S3 needs it in signed
// headers, presigned requests mean UNSIGNED-PAYLOAD, and other services hash
// the body whatever the header says.
func (s *Signed) readPayload(body []byte) (payload, error) {
	if s.Service != "s3" {
		if s.payload == "" {
			return payload{hash: hexHash(body)}, nil
		}
		return payload{hash: s.payload, checked: true}, nil
	}
	value := s.payload
	if value == "" {
		if !s.Presigned {
			return payload{}, refuse("payload-hash-missing", "the request to S3 lacks x-amz-content-sha256").in(s)
		}
		value = unsignedPayload
	}
	return s3Payload(value)
}

func s3Payload(value string) (payload, error) {
	p := payload{hash: value, s3: true}
	switch value {
	case unsignedPayload, streamingSigned, streamingSignedTrailer, streamingUnsignedTrailer:
		return p, nil
	}
	p.checked = true
	if len(value) == 64 && strings.Trim(value, "0123456789abcdef") == "" {
		return p, nil
	}
	e := refuse("payload-hash-invalid", "x-amz-content-sha256 is neither a hash nor a word for none: "+clip(value))
	e.fields = [][2]string{{"ArgumentName", "x-amz-content-sha256"}, {"ArgumentValue", clip(value)}}
	return payload{}, e
}

// decode checks the body against the payload and joins chunks. key is nil for
// an anonymous request.
func (p payload) decode(s *Signed, key []byte, body []byte) ([]byte, error) {
	if len(body) > maxBody {
		return nil, tooLarge()
	}
	if p.checked {
		if got := hexHash(body); got != p.hash {
			e := refuse("payload-mismatch", "x-amz-content-sha256 says "+clip(p.hash)+", the body's hash is "+got)
			e.fields = [][2]string{{"ClientComputedContentSHA256", clip(p.hash)}, {"S3ComputedContentSHA256", got}}
			return nil, e
		}
	}
	if !p.s3 {
		return body, nil
	}
	if !strings.HasPrefix(p.hash, "STREAMING-") {
		if chunkedEncoding(s.r) {
			return nil, refuse("chunks-not-declared", "the body is aws-chunked, x-amz-content-sha256 does not say so")
		}
		return body, nil
	}
	c := chunks{rest: body, r: s.r, trailing: strings.HasSuffix(p.hash, "-TRAILER")}
	if p.hash != streamingUnsignedTrailer {
		c.key, c.signed, c.previous = key, s, s.Signature
	}
	return c.decode()
}

func chunkedEncoding(r *http.Request) bool {
	for _, v := range r.Header.Values("Content-Encoding") {
		for coding := range strings.SplitSeq(v, ",") {
			if strings.EqualFold(strings.TrimSpace(coding), "aws-chunked") {
				return true
			}
		}
	}
	return false
}

// DecodeUnsigned does for an anonymous request to S3 what Verify does for the
// body of a signed one: it checks a payload hash that is given, and decodes an
// unsigned chunked body. An error is an *Error.
func DecodeUnsigned(r *http.Request, body []byte) ([]byte, error) {
	value, err := single(r, "X-Amz-Content-Sha256")
	if err != nil {
		return nil, err
	}
	if value == "" {
		value = unsignedPayload
	}
	p, err := s3Payload(value)
	if err != nil {
		return nil, err
	}
	if value == streamingSigned || value == streamingSignedTrailer {
		return nil, refuse("chunk-signature", "an anonymous request cannot have signed chunks")
	}
	return p.decode(&Signed{r: r}, nil, body)
}

// ReadBody reads the whole body of r, up to maxBody. An error is an *Error, or
// that of the connection.
func ReadBody(r *http.Request) ([]byte, error) {
	if r.ContentLength > maxBody {
		return nil, tooLarge()
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, refuse("body-incomplete", "the connection ended before the body did")
	case err != nil:
		return nil, fmt.Errorf("reading request body: %w", err)
	case len(body) > maxBody:
		return nil, tooLarge()
	}
	return body, nil
}

func tooLarge() *Error {
	return refuse("body-too-large", fmt.Sprintf("the body is larger than the %d MiB that the sandbox takes", maxBody>>20))
}
