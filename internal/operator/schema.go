package operator

import (
	"maps"
	"reflect"
	"strings"
	"time"

	"hongbao/envelope"
	"hongbao/orderset/decision"
	"hongbao/orderset/owed"
)

func schemaRef(name string) object { return object{"$ref": "#/components/schemas/" + name} }

// schema is what a Go type is in JSON. Structs get a name.
func (d *document) schema(t reflect.Type) object {
	if t == reflect.TypeFor[time.Time]() {
		return object{"type": "string", "format": "date-time"}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return d.schema(t.Elem())
	case reflect.Slice:
		return object{"type": "array", "items": d.schema(t.Elem())}
	case reflect.Map:
		return object{"type": "object", "additionalProperties": d.schema(t.Elem())}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Int, reflect.Int64, reflect.Uint16, reflect.Uint8:
		return object{"type": "integer", "format": "int64"}
	case reflect.Struct:
		if d.schemas[t.Name()] == nil {
			d.schemas[t.Name()] = object{} // a type may contain itself
			schema := d.members(t)
			if example := d.examples[t]; example != nil {
				schema["examples"] = []any{example}
			}
			d.schemas[t.Name()] = schema
		}
		return schemaRef(t.Name())
	}
	return object{"type": "string"}
}

// members are the fields of a struct, those of an embedded one among them.
func (d *document) members(t reflect.Type) object {
	properties, required := object{}, []string{}
	for field := range t.Fields() {
		name, rest, _ := strings.Cut(field.Tag.Get("json"), ",")
		switch {
		case field.Anonymous && name == "":
			inner := d.members(field.Type)
			maps.Copy(properties, inner["properties"].(object))
			required = append(required, inner["required"].([]string)...)
		case field.IsExported() && name != "" && name != "-":
			properties[name] = d.schema(field.Type)
			if rest == "" {
				required = append(required, name)
			}
		}
	}
	return object{"type": "object", "properties": properties, "required": required}
}

// examples are one value of every schema and of every parameter, by its type.
func examples() map[reflect.Type]any {
	const id, batch = envelope.ID("02489361423994060820031"), "B02489361423994060820031P001"
	no, at := envelope.TransferNo(id, 1, 1), time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)
	proposal := Proposal{Action: decision.ActionRedirect, PayeeID: "carl", By: "ann", At: at}
	held := HeldRow{No: no, OrderID: id, SenderID: "sam", Seq: 1, Round: 1, PayeeID: "bob", AmountFen: 198, Reason: "NAME_NOT_CORRECT",
		State: string(envelope.Held), Since: at.Add(-time.Hour), AgeSeconds: 3605, Proposal: &proposal}
	stuck := BatchRow{No: batch, Count: 40, TotalFen: 8_000, Reason: "NO_AUTH", Dissolvable: true, Since: at}
	there, gone := SetState{Set: "000"}, SetState{Set: "001", Error: "SET 001: connection refused", Code: string(envelope.ReasonSetUnavailable)}
	topic := OutboxTopic{Topic: owed.TopicTransfer, Pending: 3, OldestMs: 1_250, Stuck: 2, Paused: "by ann", Causes: map[string]int{"NO_AUTH": 2}}
	waiting := OutboxSet{SetState: there, Topics: []OutboxTopic{topic}}
	parked := ParkedRow{ID: id, Topic: envelope.TopicEvent, Attempts: 25, Since: at, Reason: "410 Gone"}
	dispute := DisputeRow{Kind: "transfer", Number: no, ID: id, What: "paid after its refusal", AmountFen: 198, At: at}
	decided := DecisionRow{No: no, Action: decision.ActionRelease, ProposedBy: "ann", ProposedAt: at, State: "approved", DecidedBy: "ben", DecidedAt: at.Add(time.Minute)}
	refused := BulkRefusal{No: no, Why: "transfer is disputed"}
	steered := SteeredSet{SetState: there, Done: []string{owed.TopicTransfer}}
	able, ready := Ability{OK: true}, ReadySet{SetState: there}
	problem := Problem{Type: "urn:hongbao:problem:invalid_field", Title: "A field breaks a rule.", Status: 400, Code: "invalid_field", Field: "topic", Rule: "is required"}
	byType := map[reflect.Type]any{}
	for _, value := range []any{
		Outbox{[]OutboxSet{waiting}}, waiting, topic, Steered{Done: "pause", Topics: steered.Done, Sets: []SteeredSet{steered}}, steered,
		Parked{[]ParkedRow{parked}, States{there}}, parked, Disputes{[]DisputeRow{dispute}, States{there}}, dispute,
		Held{[]HeldRow{held}, []BatchRow{stuck}, States{there}}, held, proposal, stuck, gone,
		Decisions{[]DecisionRow{decided}, States{there}}, decided, Bulk{[]string{no}, []BulkRefusal{refused}, States{there}}, refused,
		Retried{States{there, gone}}, LoadMode{OpenMode: "warm", Durability: "fsync"}, Readiness{Ready: true, Serve: able, Mint: able, Sets: []ReadySet{ready}}, able, ready, problem,
		NotReady{Problem{Type: "urn:hongbao:problem:not_ready", Title: "This process should be sent no requests now.", Status: 503, Code: "not_ready", Retryable: true, Detail: "draining"},
			Readiness{Draining: true, Serve: able, Mint: able, Sets: []ReadySet{ready}}},

		TransferNo(no), BatchNo(batch), StuckNo(no), OrderID(id), SetNumber("000"), Topic(owed.TopicTransfer), DeliveryTopic(envelope.TopicEvent),
		Reason("NO_AUTH"), HeldSort(decision.HeldByAge), Action(decision.ActionRelease), Moment(at.Format(time.RFC3339Nano)), Person("carl"), Seconds(30), Level(1), "heap",
	} {
		byType[reflect.TypeOf(value)] = value
	}
	return byType
}
