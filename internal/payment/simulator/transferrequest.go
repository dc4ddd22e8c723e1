package simulator

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
	openIDBytesMax       = 64
	transferRemarkMax    = 32 // characters
	transferFenMax       = 2_000_000
	perceptionMax        = 32 // characters
	reportsMax           = 10
	reportTypeMax        = 15 // characters
	reportContentMax     = 32 // characters
	sceneIDBytesMax      = 36
	transferNamedFenFrom = 200_000 // from here on the payee's name is required
)

// transferRequest is the provider's. The report and the perception are checked
// and not kept: nothing here shows them.
type transferRequest struct {
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

// checkTransfer refuses what the provider would, as far as that can be said
// without the book.
func (s *Simulator) checkTransfer(req *transferRequest) error {
	switch {
	case req.AppID != s.cfg.AppID:
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
	return s.checkPayout(&req.payoutRequest, "")
}

// checkPayout refuses a payout that stands in the body under a JSON pointer.
func (s *Simulator) checkPayout(p *payoutRequest, under string) error {
	switch {
	case !isOpenID(p.OpenID):
		return refusal.BadField(under+"/openid", p.OpenID, fmt.Sprintf("want 1 to %d visible ASCII characters", openIDBytesMax))
	case p.AmountFen < s.cfg.TransferMinFen || p.AmountFen > transferFenMax:
		return refusal.BadField(under+"/transfer_amount", p.AmountFen, fmt.Sprintf("want %d to %d fen", s.cfg.TransferMinFen, transferFenMax))
	case p.Remark == "" || !fits(p.Remark, transferRemarkMax):
		return refusal.BadField(under+"/transfer_remark", p.Remark, fmt.Sprintf("want 1 to %d characters", transferRemarkMax))
	case p.UserName == "" && p.AmountFen >= transferNamedFenFrom:
		return refusal.BadField(under+"/user_name", nil, fmt.Sprintf("want one from %d fen on", transferNamedFenFrom))
	case p.UserName != "" && !s.canRead(p.UserName):
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
	return len(s) >= 1 && len(s) <= openIDBytesMax && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

// canRead tries to decrypt a sensitive field. SHA-1 is the protocol's.
func (s *Simulator) canRead(field string) bool {
	sealed, err := base64.StdEncoding.DecodeString(field)
	if err != nil {
		return false
	}
	_, err = rsa.DecryptOAEP(sha1.New(), nil, s.cfg.PlatformKey, sealed, nil)
	return err == nil
}
