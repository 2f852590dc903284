// Package view turns Lockstep's objects into what people see. It is pure: it holds no client and reads no clock, so that
// the command line and the web show the same thing, and so that a test can say exactly what that is.
package view
