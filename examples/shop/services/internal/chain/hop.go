// Package chain makes every answer of the shop carry the chain of members
// that served it, so that a witness at the entry sees which release, in which
// slot, each of them belonged to.
package chain

import (
	"encoding/json"
	"os"
)

// Hop says who served one part of an answer.
type Hop struct {
	// Member is the name of the service.
	Member string `json:"member"`
	// Version is the tag of the image that runs.
	Version string `json:"version"`
	// Release is the Lockstep release that the pod is stamped with; empty where there is no stamp.
	Release string `json:"release"`
	// Slot is the slot that the pod is stamped with; empty where there is no stamp.
	Slot string `json:"slot"`
	// Pod is the name of the pod.
	Pod string `json:"pod"`
}

// Self reads from the environment who this process is.
func Self(member string) Hop {
	return Hop{
		Member:  member,
		Version: os.Getenv("VERSION"),
		Release: os.Getenv("RELEASE"),
		Slot:    os.Getenv("SLOT"),
		Pod:     os.Getenv("POD"),
	}
}

// Answer is what every member answers: what was asked for, and who served it.
type Answer struct {
	// Served begins with the member that was asked, followed by those that it asked in turn, depth first.
	Served []Hop `json:"served"`
	// Answer is the member's own content; absent on an error.
	Answer json.RawMessage `json:"answer,omitempty"`
	// Error says why there is no content.
	Error string `json:"error,omitempty"`
}
