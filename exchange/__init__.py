"""What offices do: draft, sign, number, seal, issue, send, receive, register, refuse, prove. Knows no HTTP."""
