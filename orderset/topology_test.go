package orderset_test

import (
	"strings"
	"testing"

	"hongbao/envelope"
	"hongbao/orderset"
)

// spec is a SET that alone is a topology.
func spec(number envelope.SetNumber, block int) orderset.SetSpec {
	return orderset.SetSpec{Number: number, Primary: "127.0.0.1:13000", Minting: true, MachineBlock: block}
}

func at(s orderset.SetSpec, primary string) orderset.SetSpec { s.Primary = primary; return s }

func drained(s orderset.SetSpec) orderset.SetSpec { s.Minting = false; return s }

func TestAmbiguousTopologyIsRefused(t *testing.T) {
	many := make([]orderset.SetSpec, 1001)
	for i := range many {
		many[i] = spec(envelope.SetNumber(i), -1)
	}
	for _, c := range []struct {
		name  string
		specs []orderset.SetSpec
		want  string // in the error; empty: accepted
	}{
		{"one SET", []orderset.SetSpec{spec(0, 0)}, ""},
		{"the last SET with the last block", []orderset.SetSpec{spec(999, 63)}, ""},
		{"two that grant nothing beside one that does", []orderset.SetSpec{spec(0, -1), spec(1, -1), spec(2, 7)}, ""},
		{"a drained SET still grants", []orderset.SetSpec{drained(spec(0, 0)), spec(1, -1)}, ""},
		{"a host name and IPv6", []orderset.SetSpec{at(spec(0, 0), "db-0.internal:3306"), at(spec(1, 1), "[::1]:3306")}, ""},

		{"none", nil, "want 1 <= sets <= 1000, have 0"},
		{"1001 SETs", many, "want 1 <= sets <= 1000, have 1001"},
		{"a number beyond the ID's digits", []orderset.SetSpec{spec(1000, 0)}, "want SET 000 to 999"},
		{"a number twice", []orderset.SetSpec{spec(3, 0), spec(3, 1)}, "SET 003 is listed twice"},
		{"a machine block twice", []orderset.SetSpec{spec(1, 5), spec(2, 5)}, "SETs 001 and 002 both grant machine block 5"},
		{"block 64", []orderset.SetSpec{spec(0, 64)}, "want -1 <= machine block < 64, have 64"},
		{"block -2", []orderset.SetSpec{spec(0, -2)}, "want -1 <= machine block < 64, have -2"},
		{"no block at all", []orderset.SetSpec{spec(0, -1), spec(1, -1)}, "no SET has a machine block"},
		{"nothing minting", []orderset.SetSpec{drained(spec(0, 0)), drained(spec(1, 1))}, "no SET is minting"},
		{"no port", []orderset.SetSpec{at(spec(0, 0), "127.0.0.1")}, `primary "127.0.0.1": want host:port`},
		{"no address", []orderset.SetSpec{at(spec(0, 0), "")}, "want host:port"},
		{"no host", []orderset.SetSpec{at(spec(0, 0), ":3306")}, "want host:port"},
		{"an empty port", []orderset.SetSpec{at(spec(0, 0), "127.0.0.1:")}, "want host:port"},
		{"a port beyond 65535", []orderset.SetSpec{at(spec(0, 0), "127.0.0.1:65536")}, "want host:port"},
		{"port 0", []orderset.SetSpec{at(spec(0, 0), "127.0.0.1:0")}, "want host:port"},
		{"a port that is a word", []orderset.SetSpec{at(spec(0, 0), "127.0.0.1:mysql")}, "want host:port"},
	} {
		_, err := orderset.NewTopology(c.specs)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
}

func TestTopologyIsNotChangedFromOutside(t *testing.T) {
	specs := []orderset.SetSpec{spec(0, 0), spec(1, 1)}
	topology, err := orderset.NewTopology(specs)
	if err != nil {
		t.Fatal(err)
	}
	specs[0].Number = 7
	topology.Specs()[1].Number = 8
	if got := topology.Specs(); len(got) != 2 || got[0].Number != 0 || got[1].Number != 1 {
		t.Errorf("got %+v, want SETs 000 and 001", got)
	}
}
