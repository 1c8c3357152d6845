// Follows a chain of CareLedger with CometBFT's own light client, and verifies single steps with it. Reads a chain and cases in JSON
// from standard input and writes what it found to standard output.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	dbm "github.com/cometbft/cometbft-db"
	cmtjson "github.com/cometbft/cometbft/libs/json"
	cmtmath "github.com/cometbft/cometbft/libs/math"
	"github.com/cometbft/cometbft/light"
	"github.com/cometbft/cometbft/light/provider"
	"github.com/cometbft/cometbft/light/provider/mock"
	dbs "github.com/cometbft/cometbft/light/store/db"
	"github.com/cometbft/cometbft/types"
)

const (
	period = 365 * 24 * time.Hour
	drift  = 10 * time.Second
)

// block is what the RPC answers at /commit and /validators.
type block struct {
	SignedHeader json.RawMessage `json:"signed_header"`
	Validators   json.RawMessage `json:"validators"`
}

// step asks whether one block verifies from another that is trusted.
type step struct {
	Trusted   block `json:"trusted"`
	Untrusted block `json:"untrusted"`
}

type asked struct {
	ChainID string  `json:"chainId"`
	NowMs   int64   `json:"nowMs"`
	Chain   []block `json:"chain"`
	Steps   []step  `json:"steps"`
}

type findings struct {
	// The height and hash that CometBFT's light client came to; empty where it refused the chain.
	Height  int64  `json:"height"`
	Hash    string `json:"hash"`
	Refusal string `json:"refusal"`
	Steps   []bool `json:"steps"`
}

func main() {
	var question asked
	if err := json.NewDecoder(os.Stdin).Decode(&question); err != nil {
		fmt.Fprintln(os.Stderr, "the chain cannot be read:", err)
		os.Exit(2)
	}
	now := time.UnixMilli(question.NowMs)
	found := findings{Steps: []bool{}}
	head, err := follow(question, now)
	if err != nil {
		found.Refusal = err.Error()
	} else {
		found.Height, found.Hash = head.Height, head.Hash().String()
	}
	for _, one := range question.Steps {
		found.Steps = append(found.Steps, verifies(question.ChainID, one, now))
	}
	if err := json.NewEncoder(os.Stdout).Encode(found); err != nil {
		os.Exit(2)
	}
}

// follow gives the chain to a primary and a witness and verifies its last block from its first.
func follow(question asked, now time.Time) (*types.LightBlock, error) {
	headers := map[int64]*types.SignedHeader{}
	validators := map[int64]*types.ValidatorSet{}
	var first, last *types.LightBlock
	for _, one := range question.Chain {
		parsed, err := parse(one)
		if err != nil {
			return nil, err
		}
		headers[parsed.Height], validators[parsed.Height] = parsed.SignedHeader, parsed.ValidatorSet
		if first == nil {
			first = parsed
		}
		last = parsed
	}
	if first == nil {
		return nil, fmt.Errorf("there are no blocks")
	}
	source := func() provider.Provider { return mock.New(question.ChainID, headers, validators) }
	ctx := context.Background()
	client, err := light.NewClient(ctx, question.ChainID,
		light.TrustOptions{Period: period, Height: first.Height, Hash: first.Hash()},
		source(), []provider.Provider{source()}, dbs.New(dbm.NewMemDB(), question.ChainID),
		light.SkippingVerification(light.DefaultTrustLevel), light.MaxClockDrift(drift))
	if err != nil {
		return nil, err
	}
	return client.VerifyLightBlockAtHeight(ctx, last.Height, now)
}

// verifies says what CometBFT does; it panics on a set with one validator twice, which is a refusal too.
func verifies(chainID string, one step, now time.Time) (accepted bool) {
	defer func() {
		if recover() != nil {
			accepted = false
		}
	}()
	trusted, err := parse(one.Trusted)
	if err != nil {
		return false
	}
	untrusted, err := parse(one.Untrusted)
	if err != nil || untrusted.ValidateBasic(chainID) != nil {
		return false
	}
	level := cmtmath.Fraction{Numerator: 1, Denominator: 3}
	return light.Verify(trusted.SignedHeader, trusted.ValidatorSet, untrusted.SignedHeader, untrusted.ValidatorSet,
		period, now, drift, level) == nil
}

func parse(one block) (*types.LightBlock, error) {
	var header types.SignedHeader
	if err := cmtjson.Unmarshal(one.SignedHeader, &header); err != nil {
		return nil, err
	}
	var validators []*types.Validator
	if err := cmtjson.Unmarshal(one.Validators, &validators); err != nil {
		return nil, err
	}
	set, err := types.ValidatorSetFromExistingValidators(validators)
	if err != nil {
		return nil, err
	}
	return &types.LightBlock{SignedHeader: &header, ValidatorSet: set}, nil
}
