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

// Payouts is what every payout says to the provider and to the payee. The
// scene must be one that the provider has granted the merchant. What has been
// placed under one set of terms is not placed again under another. A batch says
// neither Perception nor Report, and Remark of itself and of each payout in it.
type Payouts struct {
	SceneID    string // transfer_scene_id; empty is 1000, cash marketing
	Remark     string // at most 32 characters; empty is 红包
	Perception string // how the payee's wallet names it, as the scene allows; empty leaves it to the provider
	Report     []SceneReport
}

// DefaultScene is the one whose Perception and Report we know by ourselves: cash
// marketing. What another one wants to know stands in the merchant's contract.
const DefaultScene = "1000"

// SceneReport is one thing that the scene wants to know.
type SceneReport struct {
	Type    string `json:"info_type"`    // at most 15 characters
	Content string `json:"info_content"` // at most 32 characters
}

func (p Payouts) withDefaults() Payouts {
	if p.SceneID == "" {
		p.SceneID = DefaultScene
	}
	if p.SceneID == DefaultScene {
		if len(p.Report) == 0 {
			p.Report = []SceneReport{{"活动名称", "红包"}, {"奖励说明", "拆红包所得"}}
		}
		if p.Perception == "" {
			p.Perception = "现金奖励"
		}
	}
	if p.Remark == "" {
		p.Remark = "红包"
	}
	return p
}

// Validate refuses what the provider would, once what may be left out is filled in.
func (p Payouts) Validate() error {
	p = p.withDefaults()
	return p.check()
}

func (p *Payouts) check() error {
	if !isIdentifier(p.SceneID) || len(p.SceneID) > sceneIDBytesMax {
		return fmt.Errorf("Payouts.SceneID: want 1 to %d letters or digits, have %q", sceneIDBytesMax, p.SceneID)
	}
	if n := len(p.Report); n < 1 || n > reportMax {
		return fmt.Errorf("Payouts.Report: want 1 to %d under scene %s, have %d: the provider refuses a payout that reports nothing", reportMax, p.SceneID, n)
	}
	type text struct {
		name, value string
		runesMax    int
	}
	texts := []text{{"Remark", p.Remark, remarkRunesMax}}
	if p.Perception != "" {
		texts = append(texts, text{"Perception", p.Perception, remarkRunesMax})
	}
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
