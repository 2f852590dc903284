// Package controller turns the planner's wheel: observe, plan, save the status, carry out. It decides nothing itself.
//
// Informers are triggers only: what is planned upon is read live. Intent is saved with the resourceVersion that was
// read, so that of two controllers one at most acts on what both have seen.
package controller
