package world

type faultSet struct{}
