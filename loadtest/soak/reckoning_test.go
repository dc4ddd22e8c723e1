package soak

import (
	"strings"
	"testing"

	"hongbao/envelope"
	"hongbao/loadtest/measure"
	"hongbao/reconcile"
)

// quiet is books in which nothing is wrong: one dispute, one transfer held and
// one number moved twice from before a soak.
func quiet() *Reckoning {
	return &Reckoning{
		Books: []measure.Books{{Set: "000"}}, Held: []Held{{"old", "CLOSED", 1}}, Disputes: []Dispute{{Number: "old", What: "nonsense"}},
		Differences: []reconcile.Difference{{Rule: "moved once", Key: "old"}}, Twice: []string{"old"},
		Expected: Facts{9, 9, 9, 9}, Received: Facts{8, 8, 8, 8}, // what was told before the receiver was started is not known to it
	}
}

func TestReckoningIsJudgedByItsLies(t *testing.T) {
	wrong := Dispute{Number: "a", What: "a fen too much", Known: true, Over: 1}
	contrary := Dispute{Number: "b", What: "posted, and now refused", Known: true, Posted: true}
	twice := reconcile.Difference{Rule: "moved once", Key: "c"}
	for name, row := range map[string]struct {
		change func(*Reckoning)
		told   map[string]int64
		want   string // rules, or nothing
	}{
		"nothing happened":        {func(*Reckoning) {}, nil, ""},
		"explained dispute":       {func(r *Reckoning) { r.Disputes = append(r.Disputes, wrong) }, map[string]int64{"wrong_amount": 1}, ""},
		"unexplained dispute":     {func(r *Reckoning) { r.Disputes = append(r.Disputes, wrong) }, nil, ruleNoticed},
		"lie that nobody noticed": {func(*Reckoning) {}, map[string]int64{"wrong_amount": 1}, ruleNoticed},
		"dispute about no number of ours": {func(r *Reckoning) {
			r.Disputes = append(r.Disputes, Dispute{Number: "x", What: "?", Over: 1})
		}, map[string]int64{"wrong_amount": 1}, ruleExplained + ruleNoticed},
		"success taken back":         {func(r *Reckoning) { r.Disputes = append(r.Disputes, contrary) }, map[string]int64{"success_then_fail": 1}, ""},
		"success taken back by none": {func(r *Reckoning) { r.Disputes = append(r.Disputes, contrary) }, nil, ruleExplained},
		"moved twice, and found": {func(r *Reckoning) {
			r.Twice, r.Differences = append(r.Twice, "c"), append(r.Differences, twice)
		}, map[string]int64{"twice": 1}, ""},
		"moved twice, and not found": {func(r *Reckoning) { r.Twice = append(r.Twice, "c") }, map[string]int64{"twice": 1}, ruleTwice},
		"moved twice without a lie": {func(r *Reckoning) {
			r.Twice, r.Differences = append(r.Twice, "c"), append(r.Differences, twice)
		}, nil, ruleTwice},
		"found where nothing moved twice": {func(r *Reckoning) { r.Differences = append(r.Differences, twice) }, nil, ruleLedger},
		"told to move twice, and did not": {func(*Reckoning) {}, map[string]int64{"twice": 1}, ruleTwice},
		"held as refused": {func(r *Reckoning) {
			r.Held = append(r.Held, Held{"d", "ABNORMAL", 5}, Held{"e", "CLOSED", 5})
		}, map[string]int64{"refuse_closed": 1, "refuse_refund": 1}, ""},
		"held, and not refused": {func(r *Reckoning) { r.Held = append(r.Held, Held{"d", "ABNORMAL", 5}) }, nil, ruleHeld},
		"refused, and not held": {func(*Reckoning) {}, map[string]int64{"refuse_limit": 1}, ruleHeld},
		"owed and told":         {func(r *Reckoning) { r.Expected.Shares++; r.Received.Shares++ }, nil, ""},
		"owed and not told":     {func(r *Reckoning) { r.Expected.Shares++ }, nil, ruleEvents},
		"told in disorder":      {func(r *Reckoning) { r.Astray.Disordered++ }, nil, ruleEvents},
		"too many to watch":     {func(r *Reckoning) { r.Astray.Disordered++; r.Astray.Forgotten++ }, nil, ""},
		"rows out of balance":   {func(r *Reckoning) { r.Books[0].Violations = []string{"I1"} }, nil, ruleRows},
		"users' books":          {func(r *Reckoning) { r.UserBooks = []string{"ann"} }, nil, ruleUserBooks},
		"not settled":           {func(r *Reckoning) { r.Unsettled = []envelope.ID{"f"} }, nil, ruleSettled},
		"pending":               {func(r *Reckoning) { r.Pending.Add(5) }, nil, ruleDrained},
		"overdue":               {func(r *Reckoning) { r.Overdue = 1 }, nil, ruleDrained},
	} {
		after := quiet()
		row.change(after)
		var rules strings.Builder
		for _, v := range after.Judge(quiet(), row.told).Findings {
			rules.WriteString(v.Rule)
		}
		if rules.String() != row.want {
			t.Errorf("%s: found %q, want %q", name, rules.String(), row.want)
		}
	}
}
