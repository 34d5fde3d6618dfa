"""The pilot district: invented people, throw-away keys, an authority of its own, and one walk of the whole road.

`district` names the offices and their people, `authority` answers for their certificates, `build` puts them into a
fresh service, `walk` does the road once through the JSON API. Nothing here is used by a service in earnest.
"""
