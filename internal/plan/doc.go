// Package plan decides what Lockstep does next. It is pure: it sees a Snapshot and the time, and returns the complete
// next status, independent Actions as plain data, and when to look again. It holds no client, context, logger or clock,
// and never fails: wrong input becomes a condition that says what to change.
//
// The controller saves the status before it carries out the actions, so that intent is always on record before its
// effect; only the next Snapshot says whether the effect came about. Every action can therefore be repeated, and every
// transition that depends on an effect waits until it has been observed.
package plan
