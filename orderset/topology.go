package orderset

import (
	"fmt"
	"net"
	"slices"
	"strconv"

	"hongbao/envelope"
)

const (
	// MachineBlocks is how many blocks the 4096 machine numbers divide into;
	// a SET that grants machine numbers owns one block.
	MachineBlocks = 64
	// MachineBlockSize is how many processes may mint under one block at once.
	MachineBlockSize = 64

	setsMax = 1000
)

// SetSpec is one SET as the operator's file describes it.
type SetSpec struct {
	Number  envelope.SetNumber
	Primary string // host:port of the primary
	Minting bool   // new envelopes may go here; false drains the SET
	// MachineBlock is the block of machine numbers this SET grants, 0 to 63,
	// or -1 for none. Blocks keep bodies unique over all SETs without a
	// central authority: any one granting SET is enough to start a mint.
	MachineBlock int
	Memcached    []string // host:port of the memcached beside it; none works, slower
}

// Topology is every SET, each number owned once.
type Topology struct {
	specs   []SetSpec
	retired []envelope.SetNumber
	left    []SetSpec // while the process runs
}

// NewTopology refuses a topology in which an ID or a machine number could mean
// two things, or in which nothing can be minted.
func NewTopology(specs []SetSpec) (Topology, error) {
	if len(specs) == 0 || len(specs) > setsMax {
		return Topology{}, fmt.Errorf("topology: want 1 <= sets <= %d, have %d", setsMax, len(specs))
	}
	owned := map[envelope.SetNumber]bool{}
	blocks := map[int]envelope.SetNumber{}
	minting := false
	for _, s := range specs {
		if err := s.validate(); err != nil {
			return Topology{}, err
		}
		if owned[s.Number] {
			return Topology{}, fmt.Errorf("topology: SET %v is listed twice; every number has one owner", s.Number)
		}
		owned[s.Number] = true
		if other, taken := blocks[s.MachineBlock]; taken && s.MachineBlock >= 0 {
			return Topology{}, fmt.Errorf("topology: SETs %v and %v both grant machine block %d", other, s.Number, s.MachineBlock)
		}
		blocks[s.MachineBlock] = s.Number
		minting = minting || s.Minting
	}
	if delete(blocks, -1); len(blocks) == 0 {
		return Topology{}, fmt.Errorf("topology: no SET has a machine block, so nothing could be minted; set machine_block of at least one")
	}
	if !minting {
		return Topology{}, fmt.Errorf("topology: no SET is minting; set minting of at least one")
	}
	return Topology{specs: append([]SetSpec(nil), specs...)}, nil
}

// Retire names SETs that were part of the deployment and are gone for good. Their
// numbers are never given out again.
func (t Topology) Retire(numbers ...envelope.SetNumber) (Topology, error) {
	for i, n := range numbers {
		owned := slices.ContainsFunc(t.specs, func(s SetSpec) bool { return s.Number == n })
		switch {
		case n > envelope.SetNumberMax:
			return Topology{}, fmt.Errorf("topology: want a retired SET 000 to %v, have %d", envelope.SetNumberMax, n)
		case owned:
			return Topology{}, fmt.Errorf("topology: SET %v is listed and retired; it is one or the other", n)
		case slices.Contains(numbers[:i], n):
			return Topology{}, fmt.Errorf("topology: SET %v is retired twice", n)
		}
	}
	t.retired = slices.Clone(numbers)
	return t, nil
}

func (s SetSpec) validate() error {
	if s.Number > envelope.SetNumberMax {
		return fmt.Errorf("topology: want SET 000 to %v, have %d", envelope.SetNumberMax, s.Number)
	}
	host, port, err := net.SplitHostPort(s.Primary)
	if n, portErr := strconv.ParseUint(port, 10, 16); err != nil || portErr != nil || host == "" || n == 0 {
		return fmt.Errorf("topology: SET %v: primary %q: want host:port", s.Number, s.Primary)
	}
	if s.MachineBlock < -1 || s.MachineBlock >= MachineBlocks {
		return fmt.Errorf("topology: SET %v: want -1 <= machine block < %d, have %d", s.Number, MachineBlocks, s.MachineBlock)
	}
	return nil
}

// Specs lists the SETs in the order of the file.
func (t Topology) Specs() []SetSpec { return append([]SetSpec(nil), t.specs...) }

// With is the topology with a SET more, or with another one of its number.
func (t Topology) With(spec SetSpec) (Topology, error) {
	if slices.Contains(t.retired, spec.Number) {
		return Topology{}, fmt.Errorf("topology: SET %v is retired; its number is never given out again", spec.Number)
	}
	for _, gone := range t.left {
		if gone.Number != spec.Number && gone.MachineBlock >= 0 && gone.MachineBlock == spec.MachineBlock {
			return Topology{}, fmt.Errorf("topology: SET %v wants machine block %d of SET %v, which has left: its numbers may still be leased; give it another block",
				spec.Number, spec.MachineBlock, gone.Number)
		}
	}
	specs := t.Specs()
	if i := t.index(spec.Number); i >= 0 {
		specs[i] = spec
	} else {
		specs = append(specs, spec)
	}
	next, err := NewTopology(specs)
	next.retired = t.retired
	next.left = slices.DeleteFunc(slices.Clone(t.left), func(gone SetSpec) bool { return gone.Number == spec.Number })
	return next, err
}

// Without is the topology without a SET.
func (t Topology) Without(n envelope.SetNumber) (Topology, error) {
	i := t.index(n)
	if i < 0 {
		return Topology{}, fmt.Errorf("topology: SET %v is not listed", n)
	}
	next, err := NewTopology(slices.Delete(t.Specs(), i, i+1))
	next.retired, next.left = t.retired, append(slices.Clone(t.left), t.specs[i])
	return next, err
}

func (t Topology) index(n envelope.SetNumber) int {
	return slices.IndexFunc(t.specs, func(s SetSpec) bool { return s.Number == n })
}
