package httpapi

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/gin-gonic/gin"

	"hongbao/envelope"
	"hongbao/internal/httpapi/bearer"
)

// The years that a book can be asked for: order IDs begin with the first.
const (
	bookYearMin = 2025
	bookYearMax = 2100
)

// A bookAsk is what the calls about the caller's own book have in common. Whose
// book, the token says: there is no way to name another.
type bookAsk struct {
	user   envelope.UserID
	year   int
	cursor string
}

// bookAsk reads one whose query may have these parameters. Where no books are
// kept, the paths of their calls do not exist.
func (a *API) bookAsk(c *gin.Context, params ...string) (bookAsk, error) {
	if a.cfg.Books == nil {
		return bookAsk{}, errNoSuchPath
	}
	user, err := a.caller(c, bearer.ScopeShow)
	if err != nil {
		return bookAsk{}, err
	}
	if err := refuseBody(c.Request); err != nil {
		return bookAsk{}, err
	}
	query, err := parseQuery(c.Request.URL.RawQuery, params)
	if err != nil {
		return bookAsk{}, err
	}
	year, err := bookYear(query.Get("year"), envelope.BookYear(a.cfg.Now()))
	return bookAsk{user: user, year: year, cursor: query.Get("cursor")}, err
}

// parseQuery reads a query of known parameters, each at most once.
func parseQuery(raw string, params []string) (url.Values, error) {
	query, err := url.ParseQuery(raw)
	if err != nil {
		return nil, &envelope.InvalidError{Field: "query", Why: "must be parameters in percent-encoding, joined by &"}
	}
	for _, name := range slices.Sorted(maps.Keys(query)) {
		if !slices.Contains(params, name) {
			return nil, &envelope.InvalidError{Field: printableParam(name), Why: "is not a parameter of this call"}
		}
		if len(query[name]) > 1 {
			return nil, &envelope.InvalidError{Field: name, Why: "must be given once"}
		}
	}
	return query, nil
}

// printableParam keeps what is no name out of answers.
func printableParam(name string) string {
	if printable(name) != name {
		return "query"
	}
	return name
}

// bookYear reads a year; none is the current one.
func bookYear(s string, current int) (int, error) {
	if s == "" {
		return current, nil
	}
	year, err := strconv.Atoi(s)
	if err != nil || strconv.Itoa(year) != s || year < bookYearMin || year > bookYearMax {
		return 0, &envelope.InvalidError{Field: "year", Why: fmt.Sprintf("must be a year from %d to %d", bookYearMin, bookYearMax)}
	}
	return year, nil
}

// received lists what the caller opened in a year.
func (a *API) received(c *gin.Context) error {
	return a.ownBook(c, []string{"year", "cursor"}, func(ctx context.Context, b []byte, q bookAsk) ([]byte, error) {
		items, next, err := a.cfg.Books.Received(ctx, q.user, q.year, q.cursor)
		return appendList(b, items, appendReceivedItem, next), err
	})
}

// sent lists what the caller paid for in a year.
func (a *API) sent(c *gin.Context) error {
	return a.ownBook(c, []string{"year", "cursor"}, func(ctx context.Context, b []byte, q bookAsk) ([]byte, error) {
		items, next, err := a.cfg.Books.Sent(ctx, q.user, q.year, q.cursor)
		return appendList(b, items, appendSentItem, next), err
	})
}

// summary adds up the caller's year.
func (a *API) summary(c *gin.Context) error {
	return a.ownBook(c, []string{"year"}, func(ctx context.Context, b []byte, q bookAsk) ([]byte, error) {
		sum, err := a.cfg.Books.Summary(ctx, q.user, q.year)
		return appendSummary(b, q.year, &sum), err
	})
}

// ownBook answers with what read appends.
func (a *API) ownBook(c *gin.Context, params []string, read func(context.Context, []byte, bookAsk) ([]byte, error)) error {
	q, err := a.bookAsk(c, params...)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.Request.Context(), a.cfg.AnswerMax)
	defer cancel()
	buf := a.buffer()
	defer a.release(buf)
	if *buf, err = read(ctx, *buf, q); err != nil {
		return err
	}
	write(c, http.StatusOK, typeJSON, *buf)
	return nil
}

func appendList[T any](b []byte, items []T, item func([]byte, *T) []byte, next string) []byte {
	b = append(b, `{"items":[`...)
	for i := range items {
		if i > 0 {
			b = append(b, ',')
		}
		b = item(b, &items[i])
	}
	b = append(b, ']')
	return append(appendMember(b, "next_cursor", next), '}')
}

func appendReceivedItem(b []byte, i *envelope.ReceivedItem) []byte {
	b = append(b, `{"id":"`...)
	b = append(b, i.ID...)
	b = append(b, '"')
	b = appendMember(b, "sender_id", string(i.Sender))
	b = appendMember(b, "kind", string(i.Kind))
	b = appendNumber(b, "seq", int64(i.Seq))
	b = appendNumber(b, "amount_fen", int64(i.Amount))
	b = append(b, `,"best_luck":`...)
	b = strconv.AppendBool(b, i.BestLuck)
	return append(appendWhen(b, "opened_at", i.OpenedAt), '}')
}

func appendSentItem(b []byte, i *envelope.SentItem) []byte {
	b = append(b, `{"id":"`...)
	b = append(b, i.ID...)
	b = append(b, '"')
	b = appendMember(b, "kind", string(i.Kind))
	b = appendNumber(b, "total_fen", int64(i.Total))
	b = appendNumber(b, "count", int64(i.Count))
	b = appendNumber(b, "refunded_fen", int64(i.Refunded))
	return append(appendWhen(b, "paid_at", i.PaidAt), '}')
}

func appendSummary(b []byte, year int, s *envelope.BookSummary) []byte {
	b = append(b, `{"year":`...)
	b = strconv.AppendInt(b, int64(year), 10)
	b = appendNumber(b, "sent_count", int64(s.SentCount))
	b = appendNumber(b, "sent_fen", int64(s.SentTotal))
	b = appendNumber(b, "refunded_fen", int64(s.RefundedTotal))
	b = appendNumber(b, "received_count", int64(s.ReceivedCount))
	b = appendNumber(b, "received_fen", int64(s.ReceivedTotal))
	b = appendNumber(b, "best_luck_count", int64(s.BestLuckCount))
	return append(b, '}')
}

// appendNumber appends a whole-number member; zero is said.
func appendNumber(b []byte, name string, value int64) []byte {
	b = append(b, ',', '"')
	b = append(b, name...)
	b = append(b, '"', ':')
	return strconv.AppendInt(b, value, 10)
}
