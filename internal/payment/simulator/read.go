package simulator

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"hongbao/internal/payment/simulator/ledger"
)

const (
	readPage     = 5000
	readBytesMax = 8 << 20 // a page is a fifth of that
)

// ReadLedger visits every movement of a running simulator, in order, for a caller that
// compares its books with others.
func ReadLedger(ctx context.Context, baseURL string, visit func(no, providerNo string, fen int64)) error {
	for after := int64(0); ; {
		var page struct {
			Movements []ledger.Movement `json:"movements"`
		}
		if err := getJSON(ctx, fmt.Sprintf("%s/simulator/ledger?after=%d&limit=%d", baseURL, after, readPage), &page); err != nil {
			return fmt.Errorf("the simulator's ledger: %w", err)
		}
		for _, m := range page.Movements {
			visit(m.No, m.ProviderNo, m.AmountFen)
			after = m.ID
		}
		if len(page.Movements) < readPage {
			return nil
		}
	}
}

func getJSON(ctx context.Context, url string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, res.Status)
	}
	return json.NewDecoder(io.LimitReader(res.Body, readBytesMax)).Decode(into)
}
