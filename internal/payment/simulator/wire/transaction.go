package wire

// Transaction is an order in the provider's words.
type Transaction struct {
	AppID          string `json:"appid"`
	MerchantID     string `json:"mchid"`
	OrderNo        string `json:"out_trade_no"`
	TransactionID  string `json:"transaction_id,omitzero"`
	Attach         string `json:"attach,omitzero"`
	TradeType      string `json:"trade_type,omitzero"`
	TradeState     string `json:"trade_state"`
	TradeStateDesc string `json:"trade_state_desc"`
	BankType       string `json:"bank_type,omitzero"`
	SuccessTime    string `json:"success_time,omitzero"`
	Payer          *Payer `json:"payer,omitzero"`
	Amount         struct {
		Total         int64  `json:"total"`
		PayerTotal    int64  `json:"payer_total,omitzero"`
		Currency      string `json:"currency"`
		PayerCurrency string `json:"payer_currency,omitzero"`
	} `json:"amount"`
}

// Payer is the wallet that paid.
type Payer struct {
	OpenID string `json:"openid"`
}

// WithState is the same answer with another state.
func (t Transaction) WithState(state string) any { t.TradeState = state; return t }

// OffByOne is about one fen more.
func (t Transaction) OffByOne() any { t.Amount.Total++; t.Amount.PayerTotal++; return t }

// Contrary takes back that money moved.
func (t Transaction) Contrary() (string, any) { return "", nil }

// What every payment here is.
const (
	TradeType   = "NATIVE"
	BankType    = "OTHERS"
	PayerOpenID = "oSimulatedPayer0000000000001" // there is one wallet for all payers
)
