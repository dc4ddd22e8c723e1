package httpapi

import (
	"net/http"
	"strconv"
)

// The codes of what net/http refuses by itself, before there is a request that a
// handler could see.
const (
	codeMalformed      = "malformed_request"
	codeExpectation    = "expectation_failed"
	codeHeadersTooMany = "headers_too_large"
	codeTransferCoding = "transfer_coding_unsupported"
	codeVersion        = "http_version_unsupported"
)

// ownProblems are their rows of the table.
func ownProblems() []problem {
	return []problem{
		{code: codeMalformed, status: bad, title: "This is not a request of HTTP/1.1."},
		{code: codeExpectation, status: http.StatusExpectationFailed, title: "Expect may be 100-continue only."},
		{code: codeHeadersTooMany, status: http.StatusRequestHeaderFieldsTooLarge, title: "Request line and headers exceed their bound."},
		{code: codeTransferCoding, status: http.StatusNotImplemented, title: "Transfer-Encoding may be chunked only, once."},
		{code: codeVersion, status: http.StatusHTTPVersionNotSupported, title: "HTTP/1.1 and HTTP/1.0 are spoken here."},
	}
}

// ownRefusals are whole answers, by the status that net/http would send.
func ownRefusals() map[int][]byte {
	table, answers := newProblemTable(), map[int][]byte{}
	for _, code := range []string{codeMalformed, codeExpectation, codeHeadersTooMany, codeTransferCoding, codeVersion} {
		p := table.row(code)
		body := p.appendBody(nil, &refusal{})
		a := []byte("HTTP/1.1 " + strconv.Itoa(p.status) + " " + http.StatusText(p.status) + "\r\nContent-Type: application/problem+json\r\n" +
			"Content-Length: " + strconv.Itoa(len(body)) + "\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n")
		answers[p.status] = append(a, body...)
	}
	return answers
}
