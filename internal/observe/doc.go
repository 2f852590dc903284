// Package observe reads everything that the next plan depends on into a plan.Snapshot: the cluster, live and never from
// a cache; the gateways, by asking them; and the watched source.
//
// What the Stack's owner must change becomes a Problem in the Snapshot. What may pass by itself (the API server cannot
// be reached, a read timed out) is an error, and the whole pass is done again.
package observe
