// Package cli is kubectl-lockstep. It reads the cluster with its user's own rights, and writes through the API alone:
// a Release to say what to release, a Decision to say what was decided. What it prints of a Stack is made by package
// view.
package cli
