package wire

import (
	"crypto/rsa"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"hongbao/internal/payment/simulator/refusal"
)

const (
	transferNoBytesMin   = 5
	transferNoBytesMax   = 32
	OpenIDBytesMax       = 64
	TransferRemarkMax    = 32 // characters
	TransferFenMax       = 2_000_000
	perceptionMax        = 32 // characters
	reportsMax           = 10
	reportTypeMax        = 15 // characters
	reportContentMax     = 32 // characters
	sceneIDBytesMax      = 36
	TransferNamedFenFrom = 200_000 // from here on the payee's name is required
)

// TransferRequest is the provider's. The report and the perception are checked
// and not kept: nothing here shows them.
type TransferRequest struct {
	payoutRequest
	AppID        string           `json:"appid"`
	No           string           `json:"out_bill_no"`
	SceneID      string           `json:"transfer_scene_id"`
	NotifyURL    string           `json:"notify_url"`
	Perception   string           `json:"user_recv_perception"`
	SceneReports []transferReport `json:"transfer_scene_report_infos"`
}

// payoutRequest is what a bill and a detail of a batch have alike.
type payoutRequest struct {
	OpenID    string `json:"openid"`
	UserName  string `json:"user_name"` // encrypted under the platform's public key
	AmountFen int64  `json:"transfer_amount"`
	Remark    string `json:"transfer_remark"`
}

type transferReport struct {
	Type    string `json:"info_type"`
	Content string `json:"info_content"`
}

// CheckTransfer refuses what the provider would, as far as that can be said
// without the book.
func (u *Rules) CheckTransfer(req *TransferRequest) error {
	switch {
	case req.AppID != u.AppID:
		return refusal.ErrApp
	case !isTransferNo(req.No):
		return refusal.BadField("/out_bill_no", req.No, wantTransferNo)
	case !isSceneID(req.SceneID):
		return refusal.BadField("/transfer_scene_id", req.SceneID, wantSceneID)
	case req.NotifyURL != "" && !isNotifyURL(req.NotifyURL):
		return refusal.BadField("/notify_url", req.NotifyURL, wantNotifyURL)
	case !fits(req.Perception, perceptionMax):
		return refusal.BadField("/user_recv_perception", req.Perception, fmt.Sprintf("want at most %d characters", perceptionMax))
	case len(req.SceneReports) == 0:
		return refusal.BadField("/transfer_scene_report_infos", nil, "want what the scene has to be told, have nothing")
	case len(req.SceneReports) > reportsMax || slices.ContainsFunc(req.SceneReports, transferReport.unfit):
		return refusal.BadField("/transfer_scene_report_infos", nil, fmt.Sprintf("want at most %d, of 1 to %d and 1 to %d characters", reportsMax, reportTypeMax, reportContentMax))
	}
	return u.checkPayout(&req.payoutRequest, "")
}

// checkPayout refuses a payout that stands in the body under a JSON pointer.
func (u *Rules) checkPayout(p *payoutRequest, under string) error {
	switch {
	case !isOpenID(p.OpenID):
		return refusal.BadField(under+"/openid", p.OpenID, fmt.Sprintf("want 1 to %d visible ASCII characters", OpenIDBytesMax))
	case p.AmountFen < u.TransferMinFen || p.AmountFen > TransferFenMax:
		return refusal.BadField(under+"/transfer_amount", p.AmountFen, fmt.Sprintf("want %d to %d fen", u.TransferMinFen, TransferFenMax))
	case p.Remark == "" || !fits(p.Remark, TransferRemarkMax):
		return refusal.BadField(under+"/transfer_remark", p.Remark, fmt.Sprintf("want 1 to %d characters", TransferRemarkMax))
	case p.UserName == "" && p.AmountFen >= TransferNamedFenFrom:
		return refusal.BadField(under+"/user_name", nil, fmt.Sprintf("want one from %d fen on", TransferNamedFenFrom))
	case p.UserName != "" && !u.canRead(p.UserName):
		return refusal.BadField(under+"/user_name", nil, "not encrypted under our public key")
	}
	return nil
}

func isTransferNo(s string) bool { return isNumber(s, transferNoBytesMin, transferNoBytesMax, "") }

var wantTransferNo = fmt.Sprintf("want %d to %d of 0-9 A-Z a-z", transferNoBytesMin, transferNoBytesMax)

func isSceneID(s string) bool { return s != "" && len(s) <= sceneIDBytesMax }

var wantSceneID = fmt.Sprintf("want 1 to %d bytes", sceneIDBytesMax)

// fits counts characters, as the provider does.
func fits(s string, runesMax int) bool { return utf8.RuneCountInString(s) <= runesMax }

// unfit reports a text that is too long, or none.
func (r transferReport) unfit() bool {
	return r.Type == "" || r.Content == "" || !fits(r.Type, reportTypeMax) || !fits(r.Content, reportContentMax)
}

func isOpenID(s string) bool {
	return len(s) >= 1 && len(s) <= OpenIDBytesMax && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

// canRead tries to decrypt a sensitive field. SHA-1 is the protocol's.
func (u *Rules) canRead(field string) bool {
	sealed, err := base64.StdEncoding.DecodeString(field)
	if err != nil {
		return false
	}
	_, err = rsa.DecryptOAEP(sha1.New(), nil, u.PlatformKey, sealed, nil)
	return err == nil
}
