package settings

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"hongbao/internal/payment"
)

// Scene is what payouts under one transfer_scene_id say of themselves, as it was
// agreed with the provider.
type Scene struct {
	Perception string        `yaml:"perception,omitempty"` // how the payee's wallet names it; a scene allows a few
	Report     []SceneReport `yaml:"report"`               // transfer_scene_report_infos: what the scene wants to know
}

// SceneReport is one thing that a scene wants to know.
type SceneReport struct {
	Type    string `yaml:"type"`
	Content string `yaml:"content"`
}

// Terms are what every payout says of itself.
func (p *Payment) Terms() (payment.Payouts, error) {
	return p.terms(cmp.Or(p.TransferScene, payment.DefaultScene))
}

// termMistakes looks at the scene that is used, at every other that is described,
// at what a charge is called, and at how long an unconfirmed payout waits.
func (p *Payment) termMistakes() (found []error) {
	if _, err := p.Terms(); err != nil {
		found = append(found, err)
	}
	for _, id := range slices.Sorted(maps.Keys(p.TransferScenes)) {
		if _, err := p.terms(id); err != nil && id != p.TransferScene {
			found = append(found, err)
		}
	}
	if err := payment.CheckDescription(p.ChargeDescription); p.ChargeDescription != "" && err != nil {
		found = append(found, fmt.Errorf("payment.charge_description: %w", err))
	}
	if days := p.ReturnAfterDays; days != nil && (*days < 0 || *days > returnAfterDaysMax) {
		found = append(found, fmt.Errorf("payment.return_after_days: must be 1 to %d, or 0 for never, have %d", returnAfterDaysMax, *days))
	}
	return found
}

func (p *Payment) terms(id string) (payment.Payouts, error) {
	terms := payment.Payouts{SceneID: id}
	scene := p.TransferScenes[terms.SceneID]
	terms.Perception = scene.Perception
	for _, r := range scene.Report {
		terms.Report = append(terms.Report, payment.SceneReport{Type: r.Type, Content: r.Content})
	}
	if len(terms.Report) == 0 && terms.SceneID != payment.DefaultScene {
		return payment.Payouts{}, fmt.Errorf("payment.transfer_scenes.%s.report: is required: what has to be reported under the scene is agreed with the provider, which refuses a payout without it", terms.SceneID)
	}
	if err := terms.Validate(); err != nil {
		return payment.Payouts{}, fmt.Errorf("payment.transfer_scenes.%s: %w", terms.SceneID, err)
	}
	return terms, nil
}
