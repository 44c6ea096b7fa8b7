// Package archtest checks that imports point only down the layers that ARCHITECTURE.md draws. It has no code of its own.
package archtest
