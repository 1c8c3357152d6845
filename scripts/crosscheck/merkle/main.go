// Checks inclusion and consistency proofs of the ledger's history with transparency-dev/merkle, which shares no code with CareLedger.
// Reads cases in JSON from standard input and writes what it found to standard output.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
)

type inclusion struct {
	Leaf  []byte   `json:"leaf"`
	Index uint64   `json:"index"`
	Size  uint64   `json:"size"`
	Proof [][]byte `json:"proof"`
	Root  []byte   `json:"root"`
}

type consistency struct {
	From     uint64   `json:"from"`
	To       uint64   `json:"to"`
	Proof    [][]byte `json:"proof"`
	FromRoot []byte   `json:"fromRoot"`
	ToRoot   []byte   `json:"toRoot"`
}

type cases struct {
	// Every leaf of the history, and the root that CareLedger states for each size from 0 on.
	Leaves      [][]byte      `json:"leaves"`
	Roots       [][]byte      `json:"roots"`
	Inclusion   []inclusion   `json:"inclusion"`
	Consistency []consistency `json:"consistency"`
}

type findings struct {
	Roots       []bool `json:"roots"`
	Inclusion   []bool `json:"inclusion"`
	Consistency []bool `json:"consistency"`
}

func main() {
	var asked cases
	if err := json.NewDecoder(os.Stdin).Decode(&asked); err != nil {
		fmt.Fprintln(os.Stderr, "the cases cannot be read:", err)
		os.Exit(2)
	}
	found := findings{Roots: rootsOf(asked), Inclusion: []bool{}, Consistency: []bool{}}
	hasher := rfc6962.DefaultHasher
	for _, one := range asked.Inclusion {
		leaf := hasher.HashLeaf(one.Leaf)
		err := proof.VerifyInclusion(hasher, one.Index, one.Size, leaf, one.Proof, one.Root)
		found.Inclusion = append(found.Inclusion, err == nil)
	}
	for _, one := range asked.Consistency {
		err := proof.VerifyConsistency(hasher, one.From, one.To, one.Proof, one.FromRoot, one.ToRoot)
		found.Consistency = append(found.Consistency, err == nil)
	}
	if err := json.NewEncoder(os.Stdout).Encode(found); err != nil {
		os.Exit(2)
	}
}

// rootsOf builds the tree leaf by leaf and holds the stated root of each size against its own.
func rootsOf(asked cases) []bool {
	hasher := rfc6962.DefaultHasher
	tree := (&compact.RangeFactory{Hash: hasher.HashChildren}).NewEmptyRange(0)
	same := []bool{}
	for size, stated := range asked.Roots {
		root := hasher.EmptyRoot()
		if size > 0 {
			if err := tree.Append(hasher.HashLeaf(asked.Leaves[size-1]), nil); err != nil {
				return append(same, false)
			}
			computed, err := tree.GetRootHash(nil)
			if err != nil {
				return append(same, false)
			}
			root = computed
		}
		same = append(same, string(root) == string(stated))
	}
	return same
}
