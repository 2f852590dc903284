package witness

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Hop is what one member says of itself in the chain that served an answer.
type Hop struct {
	Member  string `json:"member"`
	Version string `json:"version"`
	Release string `json:"release"`
	Slot    string `json:"slot"`
	Pod     string `json:"pod"`
}

// Identity is the release that the hop belongs to. Where pods carry no stamp
// it is the version instead, so that stacks that are not stamped can be witnessed too.
func (h Hop) Identity() string {
	if h.Release != "" {
		return h.Release
	}
	return h.Version
}

func (h Hop) String() string {
	return fmt.Sprintf("%s[%s %s %s]", h.Member, h.Version, h.Release, h.Slot)
}

// answer is a body, or a line of a stream.
type answer struct {
	Served []Hop  `json:"served"`
	Error  string `json:"error"`
	End    bool   `json:"end"`
}

var errNobody = errors.New("the answer does not say who served it")

// parse returns the chain even of an answer that is an error.
func parse(body []byte) (answer, error) {
	var a answer
	if err := json.Unmarshal(body, &a); err != nil {
		return answer{}, fmt.Errorf("not an answer: %w", err)
	}
	switch {
	case a.End:
		return a, nil
	case a.Error != "":
		return a, errors.New(a.Error)
	case len(a.Served) == 0 || a.Served[0].Member == "":
		return a, errNobody
	}
	return a, nil
}

// identities are the distinct ones of a chain, in its order.
func identities(served []Hop) []string {
	var distinct []string
	seen := map[string]bool{}
	for _, hop := range served {
		if id := hop.Identity(); !seen[id] {
			seen[id] = true
			distinct = append(distinct, id)
		}
	}
	return distinct
}

// mixed tells whether a chain names more than one release or slot within a
// unit, or one member in two versions.
func mixed(served []Hop, unitOf func(member string) string) bool {
	type place struct{ release, slot string }
	units := map[string]place{}
	versions := map[string]string{}
	for _, hop := range served {
		unit, here := unitOf(hop.Member), place{hop.Release, hop.Slot}
		if known, ok := units[unit]; ok && known != here {
			return true
		}
		if known, ok := versions[hop.Member]; ok && known != hop.Version {
			return true
		}
		units[unit], versions[hop.Member] = here, hop.Version
	}
	return false
}
