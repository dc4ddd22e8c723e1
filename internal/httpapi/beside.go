package httpapi

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"

	"hongbao/envelope"
	"hongbao/internal/httpapi/bearer"
)

// Refusals of handlers beside the public API: internal/operator's. They go
// through the same table.
var (
	ErrNoSuchPath       error = errNoSuchPath
	ErrMethodNotAllowed error = errMethodNotAllowed
	ErrHostNotAllowed   error = &refusal{code: codeHost, detail: "listen.operator_hosts lists further ones"}
	ErrCrossOrigin      error = &refusal{code: codeCrossOrigin}
)

// Unauthenticated refuses a caller without a token that counts.
func Unauthenticated(why string) error {
	return &refusal{code: codeUnauthenticated, detail: why, challenge: bearer.Realm}
}

// RuleForbids refuses what is well said and what a rule forbids as things stand.
func RuleForbids(e *envelope.InvalidError) error {
	return &refusal{code: codeRuleForbids, field: e.Field, rule: e.Why}
}

// NotReady says that a process should be sent no requests now.
func NotReady(why string) error {
	return &refusal{code: codeNotReady, detail: why, retryAfter: retryAfterDefault}
}

// Problems answers errors by the one table, for handlers that are not of the
// public API. It is safe for concurrent use.
type Problems struct {
	table problemTable
	log   *slog.Logger
}

// NewProblems logs to log what operators must see.
func NewProblems(log *slog.Logger) *Problems { return &Problems{newProblemTable(), log} }

// Code is the code an error is answered with.
func (p *Problems) Code(err error) string {
	r := classify(err)
	return p.table.row(r.code).code
}

// Row is what the table says of a code, for descriptions: its status and title, and
// whether an answer says when to ask again. The status of an unknown one is 0.
func (p *Problems) Row(code string) (status int, title string, retryable bool) {
	row := p.table[code]
	if row == nil {
		return 0, "", false
	}
	return row.status, row.title, row.retryable
}

// Refuse answers an error. Unlike the public, an operator gets it whole.
func (p *Problems) Refuse(w http.ResponseWriter, r *http.Request, err error) {
	refused := classify(err)
	row := p.table.row(refused.code)
	if !inOwnWords(err) && refused.field == "" {
		refused.detail = err.Error()
	}
	level := slog.LevelInfo
	if row.status >= http.StatusInternalServerError {
		level = slog.LevelWarn
	}
	refused.requestID = requestID(r.Header)
	p.log.LogAttrs(r.Context(), level, "operator's call not carried out", slog.String("code", row.code),
		slog.String("method", r.Method), slog.String("path", r.URL.Path), slog.String("request_id", refused.requestID), slog.Any("error", err))
	row.write(w, r, row.appendBody(nil, &refused), &refused)
}

// inOwnWords reports an error that says itself what a caller learns.
func inOwnWords(err error) bool {
	_, ofHTTP := errors.AsType[*refusal](err)
	_, ofToken := errors.AsType[*bearer.Error](err)
	return ofHTTP || ofToken
}

// RefuseWith answers an error with the members of more beside those of a problem,
// and logs nothing.
func (p *Problems) RefuseWith(w http.ResponseWriter, r *http.Request, err error, more any) {
	refused := classify(err)
	row := p.table.row(refused.code)
	body := row.appendBody(nil, &refused)
	if members, err := json.Marshal(more); err == nil && len(members) > len("{}") {
		body = append(body[:len(body)-1], ',')
		body = append(body, members[1:]...)
	}
	row.write(w, r, body, &refused)
}

func (p *problem) write(w http.ResponseWriter, r *http.Request, body []byte, refused *refusal) {
	h := w.Header()
	p.setHeaders(h, r, refused)
	h["Content-Type"] = typeProblem
	h["Cache-Control"] = noStore
	h["X-Content-Type-Options"] = noSniff
	w.WriteHeader(p.status)
	_, _ = w.Write(body) // the error of a client that has gone is of no use
}

// RefuseBody makes sure that a call without a body has none.
func RefuseBody(r *http.Request) error { return refuseBody(r) }

// ReadJSON is the body of a call that may have one, nil if there is none. One
// that is there must say that it is JSON, and have at most bytesMax bytes.
func ReadJSON(r *http.Request, bytesMax int) ([]byte, error) {
	if r.ContentLength == 0 || r.Body == nil || r.Body == http.NoBody {
		return nil, nil
	}
	if err := wantJSON(r.Header); err != nil {
		return nil, err
	}
	return readBody(nil, r, bytesMax)
}
