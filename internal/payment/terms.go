package payment

import (
	"fmt"
	"unicode/utf8"
)

// The provider's limits.
const (
	sceneIDBytesMax       = 36
	remarkRunesMax        = 32
	reportMax             = 8
	reportTypeRunesMax    = 15
	reportContentRunesMax = 32
)

// Payouts is what the provider and the payee are told about every payout. The
// scene must be one that the provider has granted the merchant. What has been
// placed under one set of terms is not placed again under another. A batch says
// neither Perception nor Report, and Remark of itself and of each payout in it.
type Payouts struct {
	SceneID    string // transfer_scene_id; empty is 1000, cash marketing
	Remark     string // at most 32 characters; empty is 红包
	Perception string // how the payee's wallet names it, as the scene allows; empty is 现金奖励
	Report     []SceneReport
}

// SceneReport is one thing that the scene wants to know.
type SceneReport struct {
	Type    string `json:"info_type"`    // at most 15 characters
	Content string `json:"info_content"` // at most 32 characters
}

func (p Payouts) complete() Payouts {
	if p.SceneID == "" {
		p.SceneID = "1000"
		if p.Report == nil {
			p.Report = []SceneReport{{"活动名称", "红包"}, {"奖励说明", "拆红包所得"}}
		}
	}
	if p.Remark == "" {
		p.Remark = "红包"
	}
	if p.Perception == "" {
		p.Perception = "现金奖励"
	}
	return p
}

func (p *Payouts) check() error {
	if !isIdentifier(p.SceneID) || len(p.SceneID) > sceneIDBytesMax {
		return fmt.Errorf("Payouts.SceneID: want 1 to %d letters or digits, have %q", sceneIDBytesMax, p.SceneID)
	}
	if len(p.Report) > reportMax {
		return fmt.Errorf("Payouts.Report: want at most %d, have %d", reportMax, len(p.Report))
	}
	type text struct {
		name, value string
		runesMax    int
	}
	texts := []text{{"Remark", p.Remark, remarkRunesMax}, {"Perception", p.Perception, remarkRunesMax}}
	for _, r := range p.Report {
		texts = append(texts, text{"Report.Type", r.Type, reportTypeRunesMax}, text{"Report.Content", r.Content, reportContentRunesMax})
	}
	for _, t := range texts {
		if n := utf8.RuneCountInString(t.value); n < 1 || n > t.runesMax || !utf8.ValidString(t.value) {
			return fmt.Errorf("%s: want 1 to %d characters of UTF-8, have %q", "Payouts."+t.name, t.runesMax, t.value)
		}
	}
	return nil
}
