//! What a scheme or a score learned from the customers of one run, so that it can be applied to customers in another state: this
//! separates moves caused by new edges or centres from moves caused by the customer's own change.

use std::any::Any;
use std::fmt::Debug;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value, json};

/// What was learned: a type of the kind that learned it. Segments are by name, so that it can be applied whatever ids they have.
#[derive(Debug, Clone, Default)]
pub struct Fit(Option<Known>);

#[derive(Debug, Clone)]
struct Known {
    form: String,
    learned: Arc<dyn Learned>,
}

/// What can be stored and compared, whatever its type.
trait Learned: Any + Debug + Send + Sync {
    fn stored(&self) -> Value;
    fn equals(&self, other: &dyn Any) -> bool;
}

impl<T: Any + Debug + Send + Sync + PartialEq + Serialize> Learned for T {
    fn stored(&self) -> Value {
        json!(self)
    }

    fn equals(&self, other: &dyn Any) -> bool {
        other.downcast_ref::<T>().is_some_and(|other| self == other)
    }
}

impl Fit {
    /// What a kind learned, and the name of the form in which it is stored.
    pub fn new<T>(form: &str, learned: T) -> Self
    where
        T: Any + Debug + Send + Sync + PartialEq + Serialize,
    {
        Self(Some(Known {
            form: form.to_owned(),
            learned: Arc::new(learned),
        }))
    }

    /// What a kind learned, from the form in which it is stored.
    ///
    /// # Errors
    /// What is stored is not of this type.
    pub fn restored<T>(form: &str, stored: &Value) -> serde_json::Result<Self>
    where
        T: Any + Debug + Send + Sync + PartialEq + Serialize + DeserializeOwned,
    {
        Ok(Self::new(form, T::deserialize(stored)?))
    }

    /// Whether there is nothing: only the settings decide.
    pub fn is_none(&self) -> bool {
        self.0.is_none()
    }

    /// What was learned, if it is of this type.
    pub fn get<T: Any>(&self) -> Option<&T> {
        let learned: &dyn Any = self.0.as_ref()?.learned.as_ref();
        learned.downcast_ref()
    }

    /// The name of its form and what was stored, where it was read and not restored yet.
    pub fn stored(&self) -> Option<(&str, &Value)> {
        let form = self.0.as_ref()?.form.as_str();
        Some((form, self.get::<Value>()?))
    }
}

impl PartialEq for Fit {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Some(own), Some(other)) => {
                own.form == other.form && own.learned.equals(other.learned.as_ref())
            }
            (own, other) => own.is_none() && other.is_none(),
        }
    }
}

impl Serialize for Fit {
    /// The name of the form, and what was learned.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let stored = self.0.as_ref().map(|known| {
            let mut stored = Map::new();
            stored.insert(known.form.clone(), known.learned.stored());
            stored
        });
        stored.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Fit {
    /// As it was stored: [`crate::restored`] gives it its type.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let stored = Option::<Map<String, Value>>::deserialize(deserializer)?;
        let known = stored.and_then(|stored| stored.into_iter().next());
        Ok(known.map_or_else(Self::default, |(form, stored)| Self::new(&form, stored)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_is_restored_as_it_was() {
        let made = Fit::new("some", vec![0.1, f64::MIN_POSITIVE]);
        let text = serde_json::to_string(&made).unwrap();
        let read: Fit = serde_json::from_str(&text).unwrap();
        assert!(read.get::<Vec<f64>>().is_none() && read != made);
        let (form, stored) = read.stored().unwrap();
        assert_eq!(Fit::restored::<Vec<f64>>(form, stored).unwrap(), made);
        assert_eq!(serde_json::to_string(&Fit::default()).unwrap(), "null");
        assert!(serde_json::from_str::<Fit>("null").unwrap().is_none());
    }

    #[test]
    fn numbers_that_are_not_finite_are_not_restored() {
        let made = Fit::new("some", vec![f64::NAN]);
        let read: Fit = serde_json::from_str(&serde_json::to_string(&made).unwrap()).unwrap();
        let (form, stored) = read.stored().unwrap();
        assert!(Fit::restored::<Vec<f64>>(form, stored).is_err());
    }
}
