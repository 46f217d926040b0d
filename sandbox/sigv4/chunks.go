package sigv4

import (
	"bytes"
	"crypto/hmac"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

const (
	// smallest size of a chunk that is not the last.
	smallest    = 8192
	emptyHash   = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	longestLine = 1024
	trailerSig  = "x-amz-trailer-signature"
)

// chunks decodes an aws-chunked body:
//
//	hex-size[;chunk-signature=HEX] CRLF data CRLF … 0[;chunk-signature=HEX] CRLF [trailer CRLF …] CRLF
//
// Each signature covers the one before, the first that of the request.
type chunks struct {
	rest     []byte
	r        *http.Request
	trailing bool
	key      []byte // nil: chunks are not signed
	signed   *Signed
	previous string
}

func (c *chunks) decode() ([]byte, error) {
	want, err := decodedLength(c.r)
	if err != nil {
		return nil, err
	}
	var data []byte
	for number, last := 1, -1; ; number++ {
		chunk, err := c.next()
		if err != nil {
			return nil, err
		}
		if len(chunk) == 0 {
			break
		}
		if last >= 0 && last < smallest {
			e := refuse("chunk-size", fmt.Sprintf("chunk %d has %d bytes", number-1, last))
			e.fields = [][2]string{{"Chunk", strconv.Itoa(number)}, {"BadChunkSize", strconv.Itoa(last)}}
			return nil, e
		}
		last = len(chunk)
		data = append(data, chunk...)
	}
	if err := c.end(data); err != nil {
		return nil, err
	}
	if len(data) != want {
		return nil, refuse("body-incomplete", fmt.Sprintf("x-amz-decoded-content-length says %d, the chunks hold %d bytes", want, len(data)))
	}
	return data, nil
}

func decodedLength(r *http.Request) (int, error) {
	value, err := single(r, "X-Amz-Decoded-Content-Length")
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(value, 10, 31)
	if err != nil {
		return 0, refuse("decoded-length-missing", "x-amz-decoded-content-length is missing or not a number: "+clip(value))
	}
	return int(n), nil
}

// next takes one chunk off the body and verifies it; empty: the last.
func (c *chunks) next() ([]byte, error) {
	line, err := c.line()
	if err != nil {
		return nil, err
	}
	sizeText, extension, _ := strings.Cut(line, ";")
	size, err := strconv.ParseUint(sizeText, 16, 31)
	if err != nil || sizeText[0] == '+' {
		return nil, refuse("chunk-malformed", "a chunk does not begin with its size in hexadecimal: "+clip(sizeText))
	}
	signature, ok := strings.CutPrefix(extension, "chunk-signature=")
	if ok != (c.key != nil) || !ok && extension != "" {
		return nil, refuse("chunk-malformed", "a chunk has a signature where there should be none, or none where one should be")
	}
	if uint64(len(c.rest)) < size {
		return nil, refuse("body-incomplete", fmt.Sprintf("a chunk of %d bytes has %d", size, len(c.rest)))
	}
	chunk := c.rest[:size]
	c.rest = c.rest[size:]
	if size > 0 {
		if line, err := c.line(); err != nil || line != "" {
			return nil, refuse("chunk-malformed", "a chunk is not followed by a line end")
		}
	}
	if c.key == nil {
		return chunk, nil
	}
	toSign := c.head("AWS4-HMAC-SHA256-PAYLOAD") + emptyHash + "\n" + hexHash(chunk)
	return chunk, c.check("chunk-signature", toSign, signature)
}

func (c *chunks) head(algorithm string) string {
	return algorithm + "\n" + c.signed.Time.Format(timeFormat) + "\n" + c.signed.Scope() + "\n" + c.previous + "\n"
}

func (c *chunks) check(slug, toSign, signature string) error {
	want := sign(c.key, toSign)
	if !hmac.Equal([]byte(want), []byte(signature)) {
		e := refuse(slug, "a part of the body does not match its signature")
		e.fields = [][2]string{{"AWSAccessKeyId", c.signed.KeyID}, {"StringToSign", toSign}, {"SignatureProvided", clip(signature)}}
		return e
	}
	c.previous = want
	return nil
}

// line takes one line off the body, without its CRLF.
func (c *chunks) line() (string, error) {
	i := bytes.Index(c.rest[:min(len(c.rest), longestLine)], []byte("\r\n"))
	if i < 0 {
		return "", refuse("body-incomplete", "the body ends inside a chunk's line, or the line is too long")
	}
	line := string(c.rest[:i])
	c.rest = c.rest[i+2:]
	return line, nil
}

// end reads what follows the last chunk.
func (c *chunks) end(data []byte) error {
	trailers := http.Header{}
	var signature string
	var toHash strings.Builder
	for {
		line, err := c.line()
		if err != nil {
			return err
		}
		if line == "" {
			break
		}
		name, value, ok := strings.Cut(line, ":")
		name, value = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value)
		if !ok || !c.trailing || trailers.Get(name) != "" || signature != "" {
			return refuse("trailer-malformed", "the trailer has an unexpected line: "+clip(line))
		}
		if name == trailerSig && c.key != nil {
			signature = value
			continue
		}
		trailers.Set(name, value)
		toHash.WriteString(name + ":" + value + "\n")
	}
	switch {
	case len(c.rest) > 0:
		return refuse("trailer-malformed", fmt.Sprintf("%d bytes follow the end of the chunks", len(c.rest)))
	case !c.trailing:
		return nil
	}
	if c.key != nil {
		toSign := c.head("AWS4-HMAC-SHA256-TRAILER") + hexHash([]byte(toHash.String()))
		if err := c.check("trailer-signature", toSign, signature); err != nil {
			return err
		}
	}
	if err := announced(c.r, trailers); err != nil {
		return err
	}
	c.r.Trailer = trailers
	return checkTrailers(trailers, data)
}

// announced demands that the trailers are those which x-amz-trailer names.
func announced(r *http.Request, trailers http.Header) error {
	var names, came []string
	for _, v := range r.Header.Values("X-Amz-Trailer") {
		for name := range strings.SplitSeq(v, ",") {
			names = append(names, strings.ToLower(strings.TrimSpace(name)))
		}
	}
	for name := range trailers {
		came = append(came, strings.ToLower(name))
	}
	slices.Sort(names)
	slices.Sort(came)
	if len(names) == 0 || !slices.Equal(names, came) {
		return refuse("trailer-malformed", fmt.Sprintf("x-amz-trailer announces %q, the trailer holds %q", names, came))
	}
	return nil
}

func checkTrailers(trailers http.Header, data []byte) error {
	for name, values := range trailers {
		name = strings.ToLower(name)
		if err := VerifyChecksum(name, values[0], data); err != nil {
			return err
		}
	}
	return nil
}
